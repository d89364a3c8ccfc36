namespace StorageCache.Waiting;

/// <summary>
/// Waiters that were resumed inside a critical section, to be dispatched once it is left (W-5). Not thread-safe: lives on
/// the stack of the thread that holds the section.
/// </summary>
internal ref struct ReadyChain
{
    private Waiter? _first;
    private Waiter? _last;

    /// <summary>Adds a waiter whose resumption the caller has claimed.</summary>
    public void Add(Waiter waiter)
    {
        waiter.NextReady = null;
        if (_last is null)
        {
            _first = waiter;
        }
        else
        {
            _last.NextReady = waiter;
        }

        _last = waiter;
    }

    /// <summary>
    /// Dispatches all of them, in order, before the first one that goes on on this thread does: its code may throw, or wait for
    /// one that stands behind it (W-14). No lock is held.
    /// </summary>
    public void Dispatch()
    {
        Waiter? waiter = _first;
        bool holds = _first != _last && InlineResumption.TryHold();
        _first = null;
        _last = null;
        while (waiter is not null)
        {
            // Once dispatched, the waiter may be reused at any moment.
            Waiter? next = waiter.NextReady;
            waiter.NextReady = null;
            waiter.Dispatch();
            waiter = next;
        }

        if (holds)
        {
            InlineResumption.Release();
        }
    }
}
