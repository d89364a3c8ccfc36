using System.Diagnostics;
using StorageCache.Platform;
using StorageCache.Platform.Native;

namespace StorageCache.IO.Ring;

/// <content>The reap side: from the kernel to the requests' owners. One thread at a time runs the loop.</content>
internal sealed unsafe partial class RingIoEngine
{
    /// <summary>How often a transfer is tried again when the kernel is short of resources for the moment, a <see cref="RequestPause"/> apart.</summary>
    private const int BusyRetries = 1000;

    /// <summary>
    /// How many completions are dealt with at most before what their continuations ask for is submitted: many, and the device runs dry
    /// meanwhile; few, and more of the time goes into system calls.
    /// </summary>
    private const int ReapSize = 16;

    /// <summary>Nor more than this part of what is in flight, so that the device has the others to go on with (I/O-20).</summary>
    private const int ReapShare = 4;

    private readonly RingCompletion[] _completions = GC.AllocateArray<RingCompletion>(ReapSize, pinned: true);
    private readonly Finished[] _finished = new Finished[ReapSize];

    /// <summary>Transfers that the kernel was too busy for; they go back to the queue after a pause (I/O-21). The loop's thread's alone.</summary>
    private RequestPause _paused;

    private bool IsPauseOver => !_paused.IsEmpty && _paused.IsOver(Stopwatch.GetTimestamp());

    private void RunLoop()
    {
        s_loopHere = this;
        while (!HasEnded())
        {
            Debug.Assert(!SubmissionPlug.IsKeeping, "the loop does not wait for what it keeps back (I/O-19)");
            int result = NativeMethods.RingWait(_ring, 1, _paused.IsEmpty ? -1 : _paused.NanosecondsLeft(Stopwatch.GetTimestamp()));
            if (result is not (0 or -Errno.ETIME or -Errno.EINTR))
            {
                Environment.FailFast($"StorageCache: waiting for I/O failed: {Errno.Describe(-result)}.");
            }

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
            while (reaped == most && !IsPauseOver);
        }

        s_loopHere = null;
    }

    /// <summary>Submits what is queued, and what has paused; returns whether the engine is closed and has nothing left to do.</summary>
    private bool HasEnded()
    {
        bool submits;
        lock (_gate)
        {
            // By the clock: while completions keep coming, no wait runs out.
            if (IsPauseOver)
            {
                _queue.AddLast(_paused.TakeAll());
            }

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

            // The last two are for a request that needed the thread that had submitted it, which has ended; the very last also for one whose
            // registered memory was withdrawn before the kernel looked (I/O-23).
            bool isWorthwhile = request.Operation == BlockOperation.Flush
                ? errno is Errno.EINTR or Errno.ECANCELED
                : errno is Errno.EINTR or Errno.EAGAIN or Errno.ECANCELED or Errno.EFAULT;
            if (isWorthwhile && request.Attempts++ < BusyRetries)
            {
                if (errno == Errno.EAGAIN)
                {
                    _paused.Add(request, Stopwatch.GetTimestamp());
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

    /// <summary>Completes requests, and has those who put off what the completions ask for do it afterwards.</summary>
    private void Complete(int finished)
    {
        _batches?.Begin();
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

        _batches?.End();
    }

    /// <summary>A request that is over, and how.</summary>
    private readonly record struct Finished(BlockRequest Request, FileBlockDevice Device, int Errno);
}
