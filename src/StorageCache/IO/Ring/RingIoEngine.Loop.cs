using System.Diagnostics;
using StorageCache.Platform;
using StorageCache.Platform.Native;
using StorageCache.Waiting;

namespace StorageCache.IO.Ring;

/// <content>The reap side: from the kernel to the requests' owners. One thread at a time runs the loop.</content>
internal sealed unsafe partial class RingIoEngine
{
    /// <summary>How often a transfer is tried again when the kernel is short of resources for the moment, <see cref="PauseNanoseconds"/> apart.</summary>
    private const int BusyRetries = 1000;

    private const long PauseNanoseconds = 1_000_000;

    /// <summary>
    /// How many completions are dealt with at most before what their continuations ask for is submitted: many, and the device runs dry
    /// meanwhile; few, and more of the time goes into system calls.
    /// </summary>
    private const int ReapSize = 16;

    /// <summary>Nor more than this part of what the kernel has, so that the device has the others to go on with.</summary>
    private const int ReapShare = 4;

    private readonly RingCompletion[] _completions = GC.AllocateArray<RingCompletion>(ReapSize, pinned: true);
    private readonly Finished[] _finished = new Finished[ReapSize];

    /// <summary>Transfers that the kernel was too busy for; they go back to the queue after a pause.</summary>
    private RequestQueue _paused;

    private void RunLoop()
    {
        s_loopHere = this;
        BlockingNotice.Set(this);
        while (!HasEnded())
        {
            Debug.Assert(!SubmissionPlug.IsKeeping, "the loop does not wait for what it keeps back (I/O-19)");
            int result = NativeMethods.RingWait(_ring, 1, _paused.IsEmpty ? -1 : PauseNanoseconds);
            if (result is not (0 or -Errno.ETIME or -Errno.EINTR))
            {
                Environment.FailFast($"StorageCache: waiting for I/O failed: {Errno.Describe(-result)}.");
            }

            bool isOver = result == -Errno.ETIME;
            int reaped;
            int most;
            do
            {
                most = Math.Clamp((Depth - Volatile.Read(ref _freeCount)) / ReapShare, 1, ReapSize);
                reaped = Reap(most);
                if (s_loopHere != this)
                {
                    // Another thread has the loop now.
                    return;
                }
            }
            while (reaped == most);

            if (isOver)
            {
                lock (_gate)
                {
                    while (_paused.TakeFirst() is { } request)
                    {
                        _queue.AddLast(request);
                    }
                }
            }
        }

        s_loopHere = null;
        BlockingNotice.Set(null);
    }

    /// <summary>Submits what is queued; returns whether the engine is closed and has nothing left to do.</summary>
    private bool HasEnded()
    {
        bool submits;
        lock (_gate)
        {
            if (_isWoken && _freeCount == Depth && _queue.IsEmpty && _paused.IsEmpty)
            {
                return true;
            }

            submits = TryBecomeSubmitter();
        }

        if (submits)
        {
            SubmitQueued();
        }

        return false;
    }

    private int Reap(int most)
    {
        int reaped;
        fixed (RingCompletion* completions = _completions)
        {
            reaped = NativeMethods.RingReap(_ring, completions, (uint)most);
        }

        if (reaped == 0)
        {
            return 0;
        }

        bool submits;
        int finished = 0;
        lock (_gate)
        {
            for (int i = 0; i < reaped; i++)
            {
                if (_completions[i].UserData == WakeUp)
                {
                    _isWoken = true;
                }
                else if (TryFinish((int)_completions[i].UserData, _completions[i].Result, ref _finished[finished]))
                {
                    finished++;
                }
            }

            submits = TryBecomeSubmitter();
        }

        // The device gets its next work before anybody learns of the last.
        if (submits)
        {
            SubmitQueued();
        }

        Complete(finished);
        if (s_loopHere == this)
        {
            lock (_gate)
            {
                submits = TryBecomeSubmitter();
            }

            if (submits)
            {
                SubmitQueued();
            }
        }

        return reaped;
    }

    /// <summary>Frees a place. Returns whether its request is finished; otherwise the rest of it is queued again. Under the gate.</summary>
    private bool TryFinish(int place, int result, ref Finished finished)
    {
        BlockRequest request = _inFlight[place]!;
        _inFlight[place] = null;
        _files[place]!.DangerousRelease();
        _files[place] = null;
        _freePlaces[_freeCount++] = place;
        var device = (FileBlockDevice)request.Device!;
        int errno = 0;
        if (result < 0)
        {
            errno = -result;

            // The last two are for a request that needed the thread that had submitted it, which has ended.
            if (errno is Errno.EINTR or Errno.EAGAIN or Errno.ECANCELED or Errno.EFAULT && request.Attempts++ < BusyRetries)
            {
                if (errno == Errno.EAGAIN)
                {
                    _paused.AddLast(request);
                }
                else
                {
                    _queue.AddFirst(request);
                }

                return false;
            }
        }
        else if (request.Operation != BlockOperation.Flush)
        {
            request.Attempts = 0;
            request.Transferred += result;
            bool isRead = request.Operation == BlockOperation.Read;
            bool isAtEnd = result == 0 || (isRead && (result & (device.Alignment - 1)) != 0);
            if (request.Transferred < request.ByteCount && !isAtEnd)
            {
                _queue.AddFirst(request);
                return false;
            }

            // A file never takes nothing without saying why; if it does, asking again could go on for ever.
            errno = isAtEnd && !isRead ? Errno.EIO : 0;
        }

        finished = new Finished(request, device, errno);
        return true;
    }

    /// <summary>
    /// Completes requests, then hands what waited for them over to the thread pool in one go, and runs the continuations that may
    /// run here.
    /// </summary>
    private void Complete(int finished)
    {
        InlineResumption.Hold();
        PooledResumption.Hold();
        for (int i = 0; i < finished; i++)
        {
            (BlockRequest request, FileBlockDevice device, int errno) = _finished[i];
            _finished[i] = default;
            request.Device = null;
            if (errno == 0)
            {
                request.Complete(request.Transferred);
            }
            else
            {
                request.Fail(device.Failure(request, request.Transferred, errno));
            }
        }

        PooledResumption.Release();
        InlineResumption.Release();
    }

    /// <summary>A request that is over, and how.</summary>
    private readonly record struct Finished(BlockRequest Request, FileBlockDevice Device, int Errno);
}
