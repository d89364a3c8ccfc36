namespace StorageCache.Frames;

/// <summary>
/// Those who wait for a frame, first in, first out, each with the same patience. Frames are handed over one to one; nobody
/// is woken to compete. Thread-safe.
/// </summary>
/// <remarks>
/// Writers that break away stand in a list of their own, since they may take frames that are kept back for them, and so do those
/// for whom a frame is not enough; so nobody has to be passed over to find the next. One who comes back, because what it was
/// given was not all that it needed, has its old turn (F-5). What is done for one frame or one waiter does not grow with the
/// length of the queue (F-6).
/// </remarks>
internal sealed class FrameQueue
{
    /// <summary>The queue that the calling thread is handing frames out of.</summary>
    [ThreadStatic]
    private static FrameQueue? s_pumping;

    private readonly FramePool _frames;
    private readonly TimeProvider _time;
    private readonly TimeSpan _timeout;
    private readonly long _bytesRoom;
    private readonly Lock _lock = new();
    private bool _breaksDue;
    private FrameWaitList _others;
    private FrameWaitList _breaks;
    private FrameWaitList _lacking;
    private long _turns;
    private long _steps;
    private int _count;
    private bool _isClosed;

    /// <param name="frames">Where frames come from.</param>
    /// <param name="time">The clock.</param>
    /// <param name="timeout">How long everybody waits at most.</param>
    /// <param name="bytesRoom">How much room is handed to one who waits for <see cref="FrameNeed.Room"/>.</param>
    public FrameQueue(FramePool frames, TimeProvider time, TimeSpan timeout, long bytesRoom)
    {
        _frames = frames;
        _time = time;
        _timeout = timeout;
        _bytesRoom = bytesRoom;
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
                IFrameWaiter? first = FirstOfAll;
                if (first is null || _timeout == Timeout.InfiniteTimeSpan)
                {
                    return TimeSpan.MaxValue;
                }

                long now = _time.GetTimestamp();
                return first.FrameDeadline <= now ? TimeSpan.Zero : _time.GetElapsedTime(now, first.FrameDeadline);
            }
        }
    }

    /// <summary>Waiters looked at so far, in queueing and in handing out.</summary>
    public long Steps => Volatile.Read(ref _steps);

    private IFrameWaiter? FirstOfAll => Earlier(Earlier(_others.First, _lacking.First), _breaks.First);

    /// <summary>
    /// Queues a waiter, at its turn. The caller calls <see cref="Pump"/> afterwards, or has the background eviction do it, in case
    /// a frame came free meanwhile.
    /// </summary>
    public void Enqueue(IFrameWaiter waiter, FrameNeed need)
    {
        bool isClosed;
        lock (_lock)
        {
            if (waiter.FrameTurn == 0)
            {
                waiter.FrameTurn = ++_turns;
                waiter.FrameDeadline = _time.GetTimestamp() + (long)(Math.Max(0, _timeout.TotalSeconds) * _time.TimestampFrequency);
            }

            waiter.FrameTicket = waiter.OnQueueing();
            waiter.QueuedFor = need;
            _steps += ListOf(need).Insert(waiter);
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
            if (waiter.QueuedFor != FrameNeed.None)
            {
                Unlink(waiter);
            }
        }
    }

    /// <summary>Hands free frames to those who wait. Called with no lock held whenever a frame may have come free.</summary>
    public void Pump()
    {
        // Whoever gets a frame may fail at once, on this thread, and free it again: the loop that is running sees it, and does
        // not go on deeper in the stack.
        if (Count == 0 || s_pumping == this)
        {
            return;
        }

        FrameQueue? outer = s_pumping;
        s_pumping = this;
        try
        {
            while (TryServeOne())
            {
            }
        }
        finally
        {
            s_pumping = outer;
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
            while (_breaks.First is { } waiter)
            {
                (breaks ??= []).Add((waiter, Unlink(waiter)));
            }
        }

        foreach ((IFrameWaiter waiter, long ticket) in breaks ?? [])
        {
            waiter.OnFrame(0, ticket);
        }
    }

    /// <summary>Has the background eviction call <see cref="RetryBreaks"/> when it next runs: the caller holds a latch.</summary>
    public void RetryBreaksLater() => Volatile.Write(ref _breaksDue, true);

    /// <summary>Does what <see cref="RetryBreaksLater"/> has put off.</summary>
    public void RetryDueBreaks()
    {
        if (Volatile.Read(ref _breaksDue))
        {
            Volatile.Write(ref _breaksDue, false);
            RetryBreaks();
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

    private bool TryServeOne()
    {
        IFrameWaiter? waiter;
        uint frame;
        long ticket;
        lock (_lock)
        {
            waiter = NextToServe(out frame);
            if (waiter is null)
            {
                return false;
            }

            ticket = Unlink(waiter);
        }

        if (frame == 0)
        {
            if (!waiter.OnRoom(_bytesRoom, ticket))
            {
                _frames.ReturnRoom(_bytesRoom);
            }
        }
        else if (!waiter.OnFrame(frame, ticket))
        {
            _frames.DropReference(frame);
        }

        return true;
    }

    /// <summary>
    /// The one who has waited longest, or a writer that breaks away, and a frame for it, or zero if it is room that was taken for
    /// it; null if what it waits for is not to be had.
    /// </summary>
    private IFrameWaiter? NextToServe(out uint frame)
    {
        _steps++;
        IFrameWaiter? writer = _breaks.First;
        IFrameWaiter? first = Earlier(_others.First, _lacking.First is { CanUseFrame: true } ready ? ready : null);
        frame = 0;
        if (first is not null && first == Earlier(first, writer))
        {
            if (first is { QueuedFor: FrameNeed.Room, NeedsRoom: true } ? _frames.TryTakeRoom(_bytesRoom) : (frame = _frames.TryAllocate(forBreak: false)) != 0)
            {
                return first;
            }
        }

        // Those who break away may be content with a frame of the reserve.
        frame = writer is null ? 0 : _frames.TryAllocate(forBreak: true);
        return frame == 0 ? null : writer;
    }

    private void Expire(bool all)
    {
        while (true)
        {
            IFrameWaiter? waiter;
            long ticket;
            lock (_lock)
            {
                waiter = FirstOfAll;
                if (waiter is null || (!all && _time.GetTimestamp() < waiter.FrameDeadline))
                {
                    return;
                }

                ticket = Unlink(waiter);
            }

            waiter.OnFrameTimeout(ticket);
        }
    }

    private static IFrameWaiter? Earlier(IFrameWaiter? one, IFrameWaiter? other) =>
        one is null || (other is not null && other.FrameTurn < one.FrameTurn) ? other : one;

    private ref FrameWaitList ListOf(FrameNeed need)
    {
        switch (need)
        {
            case FrameNeed.Break:
                return ref _breaks;
            case FrameNeed.FrameAndMore:
                return ref _lacking;
            default:
                return ref _others;
        }
    }

    /// <summary>Takes a waiter out. Returns the ticket of the stay that ends.</summary>
    private long Unlink(IFrameWaiter waiter)
    {
        ListOf(waiter.QueuedFor).Remove(waiter);
        waiter.QueuedFor = FrameNeed.None;
        Volatile.Write(ref _count, _count - 1);
        return waiter.FrameTicket;
    }
}
