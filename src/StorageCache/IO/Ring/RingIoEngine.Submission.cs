using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using StorageCache.Platform;
using StorageCache.Platform.Native;

namespace StorageCache.IO.Ring;

/// <content>The submit side: from the queue to the kernel. One thread at a time has it.</content>
internal sealed unsafe partial class RingIoEngine
{
    /// <summary>The most requests that go to the kernel in one call.</summary>
    private const int BatchSize = 64;

    private readonly BlockRequest[] _batch = new BlockRequest[BatchSize];
    private readonly int[] _batchPlaces = new int[BatchSize];
    private readonly RingRequest[] _descriptions = new RingRequest[BatchSize];

    /// <summary>What the vectored transfers of one batch point to; read by the kernel when they are submitted, and not later.</summary>
    private readonly IoVector[] _vectors = GC.AllocateArray<IoVector>(2 * LibC.IOV_MAX, pinned: true);

    /// <summary>Takes the submit side if nobody has it and there is something to submit. Under the gate.</summary>
    private bool TryBecomeSubmitter()
    {
        if (_isSubmitting || _freeCount == 0 || _queue.IsEmpty)
        {
            return false;
        }

        _isSubmitting = true;
        return true;
    }

    /// <summary>Submits until the queue is empty or all places are taken, and gives the submit side back.</summary>
    private void SubmitQueued()
    {
        while (true)
        {
            int count = 0;
            lock (_gate)
            {
                while (count < BatchSize && _freeCount > 0 && _queue.TakeFirst() is { } request)
                {
                    _batch[count] = request;
                    _batchPlaces[count] = _freePlaces[--_freeCount];
                    count++;
                }

                if (count == 0)
                {
                    _isSubmitting = false;
                    return;
                }
            }

            SubmitBatch(count);
        }
    }

    private void SubmitBatch(int count)
    {
        int described = 0;
        int vectors = 0;
        for (int i = 0; i < count; i++)
        {
            BlockRequest request = _batch[i];
            if (_vectors.Length - vectors < Math.Min(request.Segments.Length, LibC.IOV_MAX))
            {
                Enter(described);
                described = 0;
                vectors = 0;
            }

            if (TryDescribe(request, _batchPlaces[i], ref vectors, out _descriptions[described]))
            {
                described++;
            }
            else
            {
                Refuse(request, _batchPlaces[i]);
            }

            _batch[i] = null!;
        }

        Enter(described);
    }

    /// <summary>Puts a request into its place and into the kernel's words. False if its file is closed.</summary>
    private bool TryDescribe(BlockRequest request, int place, ref int vectors, out RingRequest description)
    {
        description = default;
        var device = (FileBlockDevice)request.Device!;
        SafeFileHandle file = device.File;
        bool added = false;
        try
        {
            file.DangerousAddRef(ref added);
        }
        catch (ObjectDisposedException)
        {
            return false;
        }

        _inFlight[place] = request;
        _files[place] = file;
        description.File = (int)file.DangerousGetHandle();
        description.UserData = (ulong)place;
        if (request.Operation == BlockOperation.Flush)
        {
            description.Operation = RingOperation.FdataSync;
            return true;
        }

        bool reads = request.Operation == BlockOperation.Read;
        SegmentCursor cursor = new(request.Segments);
        cursor.Advance(request.Transferred);
        int used = cursor.Fill(new Span<IoVector>(_vectors, vectors, Math.Min(LibC.IOV_MAX, _vectors.Length - vectors)));
        ref IoVector first = ref _vectors[vectors];
        description.Offset = (ulong)(request.Offset + request.Transferred);
        if (used == 1)
        {
            description.Operation = reads ? RingOperation.Read : RingOperation.Write;
            description.Address = (ulong)first.Base;
            description.Length = (uint)first.Length;

            // What is tried again names its memory by address: the entry may have been emptied (I/O-23).
            if (request.Attempts == 0 && _memory is { } memory && memory.TryName(first.Base, first.Length, out ushort entry))
            {
                description.Flags = RingRequestFlags.FixedBuffer;
                description.BufferIndex = entry;
            }
        }
        else
        {
            description.Operation = reads ? RingOperation.ReadVectored : RingOperation.WriteVectored;
            description.Address = (ulong)System.Runtime.CompilerServices.Unsafe.AsPointer(ref first);
            description.Length = (uint)used;
            vectors += used;
        }

        return true;
    }

    private void Refuse(BlockRequest request, int place)
    {
        lock (_gate)
        {
            _freePlaces[_freeCount++] = place;
        }

        var device = (FileBlockDevice)request.Device!;
        request.Device = null;
        request.Fail(device.ClosedFailure(request));
    }

    /// <summary>Hands descriptions to the kernel, all of them.</summary>
    private void Enter(int count)
    {
        fixed (RingRequest* descriptions = _descriptions)
        {
            int prepared = count == 0 ? 0 : NativeMethods.RingPrepare(_ring, descriptions, (uint)count);
            if (prepared != count)
            {
                // The queue holds a batch, it is empty before, and every description is valid.
                Environment.FailFast($"StorageCache: the ring took {prepared} of {count} requests.");
            }
        }

        while (count > 0)
        {
            int submitted = NativeMethods.RingEnter(_ring, 0, 0);
            if (submitted > 0)
            {
                // Whoever has the submit side is the only one to write this.
                Volatile.Write(ref _submissions, _submissions + 1);
                count -= submitted;
            }
            else if (submitted is 0 or -Errno.EAGAIN or -Errno.EBUSY)
            {
                // The kernel has no memory for requests at this moment, or wants completions reaped first, which the loop does.
                Thread.Sleep(1);
            }
            else if (submitted != -Errno.EINTR)
            {
                Environment.FailFast($"StorageCache: io_uring_enter failed: {Errno.Describe(-submitted)}.");
            }
        }
    }

    /// <summary>Sends the loop the request that tells it to end once nothing is left.</summary>
    private void WakeLoop()
    {
        Debug.Assert(_isDisposed, "the loop is woken to end");
        TakeSubmitSide();
        _descriptions[0] = new RingRequest { Operation = RingOperation.Nop, UserData = WakeUp };
        Enter(1);
        SubmitQueued();
    }

    private void TakeSubmitSide()
    {
        SpinWait spin = default;
        while (true)
        {
            lock (_gate)
            {
                if (!_isSubmitting)
                {
                    _isSubmitting = true;
                    return;
                }
            }

            spin.SpinOnce();
        }
    }
}
