namespace StorageCache.Frames;

/// <summary>
/// Those who wait for a frame, first in, first out, each with the same patience. Frames are handed over one to one; nobody
/// is woken to compete. Thread-safe.
/// </summary>
internal sealed class FrameQueue
{
    private readonly FramePool _frames;
    private readonly TimeProvider _time;
    private readonly TimeSpan _timeout;
    private readonly Lock _lock = new();
    private IFrameWaiter? _first;
    private IFrameWaiter? _last;
    private int _count;
    private bool _isClosed;

    public FrameQueue(FramePool frames, TimeProvider time, TimeSpan timeout)
    {
        _frames = frames;
        _time = time;
        _timeout = timeout;
    }

    /// <summary>How many wait.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>How long the first one's patience lasts; <see cref="TimeSpan.MaxValue"/> if nobody waits, or for ever.</summary>
    public TimeSpan Patience
    {
        get
        {
            lock (_lock)
            {
                if (_first is null || _timeout == Timeout.InfiniteTimeSpan)
                {
                    return TimeSpan.MaxValue;
                }

                long now = _time.GetTimestamp();
                return _first.FrameDeadline <= now ? TimeSpan.Zero : _time.GetElapsedTime(now, _first.FrameDeadline);
            }
        }
    }

    /// <summary>
    /// Appends a waiter, or, if its time began earlier than the first one's (it was here before), puts it first. The caller
    /// calls <see cref="Pump"/> afterwards, in case a frame came free meanwhile.
    /// </summary>
    public void Enqueue(IFrameWaiter waiter)
    {
        bool isClosed;
        lock (_lock)
        {
            if (waiter.FrameDeadline == 0)
            {
                waiter.FrameDeadline = _time.GetTimestamp() + (long)(Math.Max(0, _timeout.TotalSeconds) * _time.TimestampFrequency);
            }

            waiter.FrameTicket = waiter.OnQueueing();
            waiter.IsQueuedForFrame = true;
            if (_first is not null && waiter.FrameDeadline < _first.FrameDeadline)
            {
                waiter.PreviousFrameWaiter = null;
                waiter.NextFrameWaiter = _first;
                _first.PreviousFrameWaiter = waiter;
                _first = waiter;
            }
            else
            {
                waiter.NextFrameWaiter = null;
                waiter.PreviousFrameWaiter = _last;
                if (_last is null)
                {
                    _first = waiter;
                }
                else
                {
                    _last.NextFrameWaiter = waiter;
                }

                _last = waiter;
            }

            Volatile.Write(ref _count, _count + 1);
            isClosed = _isClosed;
        }

        if (isClosed)
        {
            Expire(all: true);
        }
    }

    /// <summary>Takes a waiter out if it is in.</summary>
    public void Remove(IFrameWaiter waiter)
    {
        lock (_lock)
        {
            if (waiter.IsQueuedForFrame)
            {
                Unlink(waiter);
            }
        }
    }

    /// <summary>Hands free frames to those who wait. Called with no lock held whenever a frame may have come free.</summary>
    public void Pump()
    {
        while (Count != 0)
        {
            IFrameWaiter? waiter;
            uint frame;
            long ticket;
            lock (_lock)
            {
                waiter = _first;
                while (waiter is not null && !waiter.CanUseFrame)
                {
                    waiter = waiter.NextFrameWaiter;
                }

                if (waiter is null)
                {
                    return;
                }

                frame = _frames.TryAllocate(waiter.IsForBreak);
                if (frame == 0 && !waiter.IsForBreak)
                {
                    // Those behind may be content with a frame of the reserve.
                    while (waiter is not null && !waiter.IsForBreak)
                    {
                        waiter = waiter.NextFrameWaiter;
                    }

                    frame = waiter is null ? 0 : _frames.TryAllocate(forBreak: true);
                }

                if (frame == 0)
                {
                    return;
                }

                ticket = Unlink(waiter!);
            }

            if (!waiter!.OnFrame(frame, ticket))
            {
                _frames.DropReference(frame);
            }
        }
    }

    /// <summary>
    /// Has all who wait for a frame to break away onto try again without one: a protection ended, perhaps theirs.
    /// </summary>
    public void RetryBreaks()
    {
        if (Count == 0)
        {
            return;
        }

        List<(IFrameWaiter Waiter, long Ticket)>? breaks = null;
        lock (_lock)
        {
            IFrameWaiter? waiter = _first;
            while (waiter is not null)
            {
                IFrameWaiter? next = waiter.NextFrameWaiter;
                if (waiter.IsForBreak)
                {
                    (breaks ??= []).Add((waiter, Unlink(waiter)));
                }

                waiter = next;
            }
        }

        foreach ((IFrameWaiter waiter, long ticket) in breaks ?? [])
        {
            waiter.OnFrame(0, ticket);
        }
    }

    /// <summary>
    /// Ends the wait of those whose time is up. The background eviction calls it when the first one's is: a timer would need a
    /// thread of the pool (T-1).
    /// </summary>
    public void ExpireDue()
    {
        if (Count != 0 && _timeout != Timeout.InfiniteTimeSpan)
        {
            Expire(all: false);
        }
    }

    /// <summary>Ends everybody's wait as if time were up, also that of those who still come.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _isClosed = true;
        }

        Expire(all: true);
    }

    private void Expire(bool all)
    {
        while (true)
        {
            IFrameWaiter? waiter;
            long ticket;
            lock (_lock)
            {
                waiter = _first;
                if (waiter is null || (!all && _time.GetTimestamp() < waiter.FrameDeadline))
                {
                    return;
                }

                ticket = Unlink(waiter);
            }

            waiter.OnFrameTimeout(ticket);
        }
    }

    /// <summary>Takes a waiter out. Returns the ticket of the stay that ends.</summary>
    private long Unlink(IFrameWaiter waiter)
    {
        IFrameWaiter? next = waiter.NextFrameWaiter;
        IFrameWaiter? previous = waiter.PreviousFrameWaiter;
        if (previous is null)
        {
            _first = next;
        }
        else
        {
            previous.NextFrameWaiter = next;
        }

        if (next is null)
        {
            _last = previous;
        }
        else
        {
            next.PreviousFrameWaiter = previous;
        }

        waiter.NextFrameWaiter = null;
        waiter.PreviousFrameWaiter = null;
        waiter.IsQueuedForFrame = false;
        Volatile.Write(ref _count, _count - 1);
        return waiter.FrameTicket;
    }
}
