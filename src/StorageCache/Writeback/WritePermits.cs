namespace StorageCache.Writeback;

/// <summary>
/// One permit per write that may be under way in a cache, and a limit of the bytes that they may carry together. First come, first
/// served; permits go straight to the one who has waited longest, and through no thread of the pool (T-1). Thread-safe.
/// </summary>
/// <remarks>
/// Who waits is given several permits at once, for writes that begin together cost less: a quarter of all at least, if it has use for so
/// many. They come free without anybody's help, so that waiting for more than one cannot be waiting for oneself, as long as nobody who holds
/// a permit for a write that has not begun waits for anything (WB-11).
/// </remarks>
internal sealed class WritePermits
{
    private readonly Lock _lock = new();
    private readonly int _count;
    private readonly long _bytesLimit;
    private PermitWaiter? _first;
    private PermitWaiter? _last;

    /// <summary>Permits to be had; below zero while writes are under way for which none was waited for.</summary>
    private int _free;

    /// <summary>Bytes under way. Only grows outside the lock.</summary>
    private long _bytes;

    /// <param name="count">How many there are, 1 or more.</param>
    /// <param name="bytesLimit">
    /// How many bytes may be under way before no write begins any more, above 0. The write that reaches it may exceed it, one for each
    /// party that begins writes at that time.
    /// </param>
    public WritePermits(int count, long bytesLimit)
    {
        _count = count;
        _free = count;
        _bytesLimit = bytesLimit;
    }

    /// <summary>How many there are.</summary>
    public int Count => _count;

    /// <summary>Permits that could be taken now.</summary>
    public int Available
    {
        get
        {
            lock (_lock)
            {
                return _free;
            }
        }
    }

    /// <summary>Bytes under way.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Whether the bytes under way leave room for another write.</summary>
    public bool HasRoom => Bytes < _bytesLimit;

    /// <summary>Takes permits.</summary>
    /// <param name="waiter">The caller's own; awaits one call at a time.</param>
    /// <param name="most">The most to take, 1 or more.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>How many were taken, 1 or more.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit is taken.</exception>
    public ValueTask<int> TakeAsync(AwaitedPermitWaiter waiter, int most, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        waiter.Begin();
        int taken = TakeOrWait(waiter, most);
        return taken > 0 ? new ValueTask<int>(taken) : waiter.WhenGranted(cancellationToken);
    }

    /// <summary>Takes permits, or has a waiter stand in line.</summary>
    /// <param name="waiter">The caller's own; stands in no line.</param>
    /// <param name="most">The most to take, 1 or more.</param>
    /// <returns>How many were taken; 0 if the waiter stands in line.</returns>
    public int TakeOrWait(PermitWaiter waiter, int most)
    {
        lock (_lock)
        {
            if (_first is null && IsEnoughFor(most))
            {
                return TakeFree(most);
            }

            waiter.Most = most;
            Add(waiter);
            return 0;
        }
    }

    /// <summary>
    /// Takes a permit that may not be there yet, without waiting for it: for a part of a write that had its permit and failed. Its
    /// end releases a permit as any write's does. Its bytes are charged already.
    /// </summary>
    public void Borrow()
    {
        lock (_lock)
        {
            _free--;
        }
    }

    /// <summary>Notes the bytes of a write that is about to begin with a permit.</summary>
    public void Charge(long bytes) => Interlocked.Add(ref _bytes, bytes);

    /// <summary>Gives permits back.</summary>
    /// <param name="permits">How many.</param>
    /// <param name="bytes">What was charged for the writes that have ended.</param>
    public void Release(int permits, long bytes)
    {
        PermitWaiter? next;
        int granted;
        lock (_lock)
        {
            _free += permits;
            Interlocked.Add(ref _bytes, -bytes);
            next = TryServe(out granted);
        }

        Serve(next, granted);
    }

    /// <summary>Takes a waiter out of the line, if it stands there, and ends its wait with nothing.</summary>
    public void Cancel(PermitWaiter waiter)
    {
        PermitWaiter? next;
        int granted;
        lock (_lock)
        {
            if (!waiter.IsLinked)
            {
                return;
            }

            // Who stands behind it may be content with less.
            Remove(waiter);
            next = TryServe(out granted);
        }

        waiter.OnGranted(0);
        Serve(next, granted);
    }

    private void Serve(PermitWaiter? next, int granted)
    {
        while (next is not null)
        {
            next.OnGranted(granted);
            lock (_lock)
            {
                next = TryServe(out granted);
            }
        }
    }

    /// <summary>Takes the first in line out if there is enough for it, and its permits. Under the lock.</summary>
    private PermitWaiter? TryServe(out int granted)
    {
        granted = 0;
        if (_first is not { } first || !IsEnoughFor(first.Most))
        {
            return null;
        }

        Remove(first);
        granted = TakeFree(first.Most);
        return first;
    }

    private bool IsEnoughFor(int most) => _free >= Math.Min(most, Math.Max(1, _count / 4)) && HasRoom;

    private int TakeFree(int most)
    {
        int taken = Math.Min(_free, most);
        _free -= taken;
        return taken;
    }

    private void Add(PermitWaiter waiter)
    {
        waiter.IsLinked = true;
        waiter.Next = null;
        waiter.Previous = _last;
        if (_last is null)
        {
            _first = waiter;
        }
        else
        {
            _last.Next = waiter;
        }

        _last = waiter;
    }

    private void Remove(PermitWaiter waiter)
    {
        if (waiter.Previous is null)
        {
            _first = waiter.Next;
        }
        else
        {
            waiter.Previous.Next = waiter.Next;
        }

        if (waiter.Next is null)
        {
            _last = waiter.Previous;
        }
        else
        {
            waiter.Next.Previous = waiter.Previous;
        }

        waiter.Next = null;
        waiter.Previous = null;
        waiter.IsLinked = false;
    }
}
