using System.Diagnostics;
using StorageCache.Frames;

namespace StorageCache.Writeback;

/// <summary>
/// Frames that pages are encoded into on their way to the device: ordinary frames of the cache's, aligned, registered and charged to the
/// memory limit as all are, which no page has. Some are kept back for as long as a mapping with a codec is open, so that dirty pages can
/// be written however full the cache is; more are taken while there are free ones. Thread-safe.
/// </summary>
/// <remarks>
/// A write that gets none stands in line. Those that have some wait for nothing but the device, so they give them back, to the first in
/// line (PC-8).
/// </remarks>
internal sealed class BounceFrames
{
    /// <summary>The part of all frames that is kept back, at most.</summary>
    private const int CapacityPerKept = 32;

    /// <summary>The part of all frames that is used at once, at most.</summary>
    private const int CapacityPerUsed = 8;

    private readonly CacheCore _core;
    private readonly Lock _lock = new();
    private readonly Stack<uint> _idle = new();
    private WriteRun? _first;
    private WriteRun? _last;
    private int _users;
    private int _kept;
    private int _most;

    /// <summary>Frames that are idle or that writes have.</summary>
    private int _total;

    public BounceFrames(CacheCore core) => _core = core;

    /// <summary>Frames that writes have.</summary>
    public int InUse
    {
        get
        {
            lock (_lock)
            {
                return _total - _idle.Count;
            }
        }
    }

    /// <summary>Frames that there are, idle ones included.</summary>
    public int Total
    {
        get
        {
            lock (_lock)
            {
                return _total;
            }
        }
    }

    /// <summary>Whether a frame is one that is kept and not in use.</summary>
    public bool IsIdle(uint frame)
    {
        lock (_lock)
        {
            return _idle.Contains(frame);
        }
    }

    /// <summary>Takes the shares of the current capacity; gives up what is kept beyond them.</summary>
    public void SetLimits()
    {
        int frames = _core.FrameCapacity;
        lock (_lock)
        {
            _kept = Math.Clamp(frames / CapacityPerKept, 1, WriteBackEngine.BytesKeptForEncoding / _core.PageSize);
            _most = Math.Max(_kept, frames / CapacityPerUsed);
        }

        Trim();
    }

    /// <summary>Notes that a mapping needs the frames that are kept back, and takes them if it is the first. False if not even one is to be had.</summary>
    public bool TryJoin()
    {
        bool isEnough;
        lock (_lock)
        {
            _users++;
            isEnough = _total > 0;
        }

        while (!isEnough || HasRoomToKeep())
        {
            // The first may be one of those for breaks: who waits for it is nobody's predecessor.
            uint frame = _core.TryAllocateFrame(forBreak: !isEnough);
            if (frame == 0)
            {
                break;
            }

            isEnough = true;
            lock (_lock)
            {
                _total++;
                _idle.Push(frame);
            }
        }

        if (!isEnough)
        {
            Leave();
        }

        return isEnough;
    }

    /// <summary>Undoes one <see cref="TryJoin"/>; the last gives the frames back.</summary>
    public void Leave()
    {
        lock (_lock)
        {
            _users--;
        }

        Trim();
    }

    /// <summary>Gives a write that has none as many as it has use for and there are. False if there are none: it stands in line then, and is submitted by the one who gives some back.</summary>
    public bool TryTake(WriteRun run)
    {
        lock (_lock)
        {
            if (_first is null)
            {
                Fill(run);
            }
        }

        if (run.BounceWanted > 0)
        {
            TakeFree(run);
        }

        lock (_lock)
        {
            if (run.BounceCount == 0 && _first is null)
            {
                // Some may have been given back meanwhile.
                Fill(run);
            }

            if (run.BounceCount > 0)
            {
                return true;
            }

            Debug.Assert(_total > _idle.Count, "who has none stands behind one who has (PC-8)");
            run.NextWaiting = null;
            if (_last is null)
            {
                _first = run;
            }
            else
            {
                _last.NextWaiting = run;
            }

            _last = run;
            return false;
        }
    }

    /// <summary>Takes all frames of a write back: for those in line, to be kept, or to be free.</summary>
    public void Return(WriteRun run)
    {
        WriteRun? ready = null;
        bool freed;
        lock (_lock)
        {
            while (run.BounceCount > 0)
            {
                _idle.Push(run.TakeBounce());
            }

            while (_first is { } next && _idle.Count > 0)
            {
                _first = next.NextWaiting;
                if (_first is null)
                {
                    _last = null;
                }

                Fill(next);
                next.NextWaiting = ready;
                ready = next;
            }

            freed = DropExcess();
        }

        while (ready is { } next)
        {
            ready = next.NextWaiting;
            next.NextWaiting = null;
            next.SubmitElsewhere();
        }

        if (freed && _core.FrameQueue.Count > 0)
        {
            _core.Reclaimer.Kick();
        }
    }

    /// <summary>How many frames are kept while nobody needs more. Under the lock.</summary>
    private int Target => _users > 0 ? _kept : 0;

    private bool HasRoomToKeep()
    {
        lock (_lock)
        {
            return _total < Target;
        }
    }

    /// <summary>Gives a write idle frames. Under the lock.</summary>
    private void Fill(WriteRun run)
    {
        while (run.BounceWanted > 0 && _idle.TryPop(out uint frame))
        {
            run.AddBounce(frame);
        }
    }

    /// <summary>Gives a write frames that are free, and that nobody waits for.</summary>
    private void TakeFree(WriteRun run)
    {
        while (run.BounceWanted > 0 && _core.FrameQueue.Count == 0 && TryCountOne())
        {
            uint frame = _core.Frames.TryAllocate(forBreak: false);
            if (frame == 0)
            {
                lock (_lock)
                {
                    _total--;
                }

                break;
            }

            run.AddBounce(frame);
        }

        _core.Reclaimer.Balance();
    }

    private bool TryCountOne()
    {
        lock (_lock)
        {
            if (_total >= _most)
            {
                return false;
            }

            _total++;
            return true;
        }
    }

    /// <summary>Gives up idle frames beyond those that are to be kept.</summary>
    private void Trim()
    {
        bool freed;
        lock (_lock)
        {
            freed = DropExcess();
        }

        if (freed)
        {
            _core.FrameQueue.Pump();
        }
    }

    /// <summary>Frees idle frames beyond those that are to be kept. Returns whether there were any. Under the lock.</summary>
    private bool DropExcess()
    {
        bool freed = false;
        while (_total > Target && _idle.TryPop(out uint frame))
        {
            _total--;
            freed = true;
            _core.Frames.DropReference(frame);
        }

        return freed;
    }
}
