using System.Runtime.CompilerServices;
using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>Pins.</content>
public sealed unsafe partial class Mapping
{
    /// <summary>Pins a page, reading the page in if it is not in memory. Blocks the calling thread, and no other, if that has to wait.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="page"/> is negative.</exception>
    /// <exception cref="PageReadException">The page could not be read.</exception>
    /// <exception cref="PageTruncatedException">The page lies beyond the end of the file.</exception>
    /// <exception cref="CacheFullException">No frame came free in time.</exception>
    /// <exception cref="LatchTimeoutException">The page did not become available in time.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    public PagePin Pin(long page) =>
        TryPinFast(page, out PagePin pin) ? pin : PinSlow(page, _core.Options.LatchTimeout);

    /// <summary>As <see cref="Pin(long)"/>, with a time-out of its own.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="page"/> is negative.</exception>
    /// <exception cref="PageReadException">The page could not be read.</exception>
    /// <exception cref="PageTruncatedException">The page lies beyond the end of the file.</exception>
    /// <exception cref="CacheFullException">No frame came free in time.</exception>
    /// <exception cref="LatchTimeoutException">The page did not become available in time.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    public PagePin Pin(long page, TimeSpan timeout)
    {
        Throw.IfBadTimeout(timeout);
        return TryPinFast(page, out PagePin pin) ? pin : PinSlow(page, timeout);
    }

    /// <summary>Pins a page that is in memory.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="pin">What was acquired, if the result is true.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="page"/> is negative.</exception>
    public bool TryPin(long page, out PagePin pin)
    {
        if (TryPinFast(page, out pin))
        {
            return true;
        }

        Throw.IfNegativePage(page);
        return TryPinSlow(page, out pin);
    }

    /// <summary>Pins a page, reading the page in if it is not in memory. Completes synchronously if the page can be had at once.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="cancellationToken">Cancels the wait. A read that has begun goes on; a page that can be had at once is had.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="page"/> is negative.</exception>
    /// <exception cref="PageReadException">The page could not be read.</exception>
    /// <exception cref="PageTruncatedException">The page lies beyond the end of the file.</exception>
    /// <exception cref="CacheFullException">No frame came free in time.</exception>
    /// <exception cref="LatchTimeoutException">The page did not become available in time.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<PagePin> PinAsync(long page, CancellationToken cancellationToken = default) =>
        TryPinFast(page, out PagePin pin)
            ? new ValueTask<PagePin>(pin)
            : PinSlowAsync(page, _core.Options.LatchTimeout, cancellationToken);

    /// <summary>As <see cref="PinAsync(long, CancellationToken)"/>, with a time-out of its own.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite.</param>
    /// <param name="cancellationToken">Cancels the wait. A read that has begun goes on; a page that can be had at once is had.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="page"/> is negative.</exception>
    /// <exception cref="PageReadException">The page could not be read.</exception>
    /// <exception cref="PageTruncatedException">The page lies beyond the end of the file.</exception>
    /// <exception cref="CacheFullException">No frame came free in time.</exception>
    /// <exception cref="LatchTimeoutException">The page did not become available in time.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<PagePin> PinAsync(long page, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        Throw.IfBadTimeout(timeout);
        return TryPinFast(page, out PagePin pin)
            ? new ValueTask<PagePin>(pin)
            : PinSlowAsync(page, timeout, cancellationToken);
    }

    /// <summary>
    /// A hit: where the page is pinned already, one interlocked addition to the head's count. The state is read again
    /// afterwards: an evictor locks the word before it reads the count, so one of the two sees the other (B-6).
    /// </summary>
    private bool TryPinFast(long page, out PagePin pin)
    {
        uint generation = _table.Generation;
        Slot* slot = _table.Find(page);
        if (slot != null)
        {
            ulong state = StateWord.Load(slot);
            const ulong Wanted = StateWord.UpToDate | StateWord.Pinned | StateWord.Referenced;
            if ((state & (Wanted | StateWord.ListLock)) == Wanted || StateWord.TrySetPinned(slot, state))
            {
                uint index = slot->Head;
                if (((StateWord.Load(slot) ^ state) & (StateWord.VersionMask | StateWord.UpToDate)) == 0 && TryCountPin(slot, page, generation, index))
                {
                    _hits.Increment();
                    pin = new PagePin(this, slot);
                    return true;
                }
            }
        }

        pin = default;
        return false;
    }

    private bool TryCountPin(Slot* slot, long page, uint generation, uint index)
    {
        const ulong Wanted = StateWord.UpToDate | StateWord.Pinned;
        BufferHead* head = _core.Heads[index];
        _core.AddPin(head);
        if ((StateWord.Load(slot) & (Wanted | StateWord.ListLock)) == Wanted && slot->Head == index && _table.IsCurrent(slot, page, generation))
        {
            return true;
        }

        // The head may be another page's by now, and that page may have lost its frame while our count stood there.
        int mapping = head->Mapping;
        long other = head->Page;
        if (_core.DropPin(head))
        {
            _core.MappingAt(mapping)?.DetachIfEmpty(other);
        }

        return false;
    }

    private bool TryPinSlow(long page, out PagePin pin)
    {
        bool taken = TryAcquireNow(page, WaitMode.Pin, out Slot* slot);
        pin = taken ? new PagePin(this, slot) : default;
        return taken;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private PagePin PinSlow(long page, TimeSpan timeout)
    {
        Throw.IfNegativePage(page);
        Slot* slot = AcquireBlocking(page, WaitMode.Pin, isNew: false, timeout);
        return new PagePin(this, slot);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ValueTask<PagePin> PinSlowAsync(long page, TimeSpan timeout, CancellationToken cancellationToken)
    {
        Throw.IfNegativePage(page);
        PageWaiter? waiter = AcquireAsync(page, WaitMode.Pin, isNew: false, isInternal: false, timeout, cancellationToken, out Slot* slot, out Exception? error);
        if (waiter is not null)
        {
            return new ValueTask<PagePin>(waiter, waiter.Version);
        }

        return error is null ? new ValueTask<PagePin>(new PagePin(this, slot)) : ValueTask.FromException<PagePin>(error);
    }
}
