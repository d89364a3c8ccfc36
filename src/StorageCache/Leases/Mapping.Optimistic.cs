using System.Runtime.CompilerServices;
using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>Optimistic reads.</content>
public sealed unsafe partial class Mapping
{
    /// <summary>Begins an optimistic read of a page, once the page is in memory and not exclusively latched. Blocks the calling thread, and no other, if that has to wait.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="page"/> is negative.</exception>
    /// <exception cref="PageReadException">The page could not be read.</exception>
    /// <exception cref="PageTruncatedException">The page lies beyond the end of the file.</exception>
    /// <exception cref="CacheFullException">No frame came free in time.</exception>
    /// <exception cref="LatchTimeoutException">The page did not become available in time.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    public OptimisticRead ReadOptimistic(long page) =>
        TryReadOptimisticFast(page, out OptimisticRead read) ? read : ReadOptimisticSlow(page, _core.Options.LatchTimeout);

    /// <summary>As <see cref="ReadOptimistic(long)"/>, with a time-out of its own.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="page"/> is negative.</exception>
    /// <exception cref="PageReadException">The page could not be read.</exception>
    /// <exception cref="PageTruncatedException">The page lies beyond the end of the file.</exception>
    /// <exception cref="CacheFullException">No frame came free in time.</exception>
    /// <exception cref="LatchTimeoutException">The page did not become available in time.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    public OptimisticRead ReadOptimistic(long page, TimeSpan timeout)
    {
        Throw.IfBadTimeout(timeout);
        return TryReadOptimisticFast(page, out OptimisticRead read) ? read : ReadOptimisticSlow(page, timeout);
    }

    /// <summary>Begins an optimistic read of a page that is in memory and not exclusively latched.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="read">What was acquired, if the result is true.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="page"/> is negative.</exception>
    public bool TryReadOptimistic(long page, out OptimisticRead read)
    {
        if (TryReadOptimisticFast(page, out read))
        {
            return true;
        }

        // A page that is not readable at this moment is exclusively latched or absent: there is nothing to try harder.
        Throw.IfNegativePage(page);
        return false;
    }

    /// <summary>Begins an optimistic read of a page, once the page is in memory and not exclusively latched. Completes synchronously if the page can be had at once.</summary>
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
    public ValueTask<OptimisticRead> ReadOptimisticAsync(long page, CancellationToken cancellationToken = default) =>
        TryReadOptimisticFast(page, out OptimisticRead read)
            ? new ValueTask<OptimisticRead>(read)
            : ReadOptimisticSlowAsync(page, _core.Options.LatchTimeout, cancellationToken);

    /// <summary>As <see cref="ReadOptimisticAsync(long, CancellationToken)"/>, with a time-out of its own.</summary>
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
    public ValueTask<OptimisticRead> ReadOptimisticAsync(long page, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        Throw.IfBadTimeout(timeout);
        return TryReadOptimisticFast(page, out OptimisticRead read)
            ? new ValueTask<OptimisticRead>(read)
            : ReadOptimisticSlowAsync(page, timeout, cancellationToken);
    }

    /// <summary>Begins an optimistic read of a slot whose leaf the caller keeps alive by a pin.</summary>
    internal bool TryReadOptimisticAt(Slot* slot, out OptimisticRead read)
    {
        ulong state = StateWord.Load(slot);
        if (!StateWord.IsReadable(state))
        {
            read = default;
            return false;
        }

        _hits.Increment();
        read = new OptimisticRead(this, slot, AddressOf(slot->Frame), state);
        return true;
    }

    /// <summary>Turns a shared latch into an optimistic read.</summary>
    internal OptimisticRead ToOptimistic(Slot* slot)
    {
        OptimisticRead read = new(this, slot, AddressOf(slot->Frame), StateWord.Load(slot));
        ReleaseShared(slot);
        return read;
    }

    /// <summary>
    /// A hit: look up, read the state, see that the look-up still holds (PT-5). Writes nothing, but for the reference bit of a page that the
    /// clock has passed since it was last used: without it the pages that everybody reads this way would be evicted.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryReadOptimisticFast(long page, out OptimisticRead read)
    {
        uint generation = _table.Generation;
        Slot* slot = _table.Find(page);
        if (slot != null)
        {
            ulong state = StateWord.Load(slot);
            if (StateWord.IsReadable(state))
            {
                byte* data = AddressOf(slot->Frame);
                if ((state & StateWord.Referenced) == 0)
                {
                    StateWord.Reference(slot, state);
                }

                if (_table.IsCurrent(slot, page, generation))
                {
                    _hits.Increment();
                    read = new OptimisticRead(this, slot, data, state);
                    return true;
                }
            }
        }

        read = default;
        return false;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private OptimisticRead ReadOptimisticSlow(long page, TimeSpan timeout)
    {
        Throw.IfNegativePage(page);
        Slot* slot = AcquireBlocking(page, WaitMode.Shared, isNew: false, timeout);
        return ToOptimistic(slot);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ValueTask<OptimisticRead> ReadOptimisticSlowAsync(long page, TimeSpan timeout, CancellationToken cancellationToken)
    {
        Throw.IfNegativePage(page);
        PageWaiter? waiter = AcquireAsync(page, WaitMode.Shared, isNew: false, isInternal: false, timeout, cancellationToken, out Slot* slot, out Exception? error);
        if (waiter is not null)
        {
            return new ValueTask<OptimisticRead>(waiter, waiter.Version);
        }

        return error is null ? new ValueTask<OptimisticRead>(ToOptimistic(slot)) : ValueTask.FromException<OptimisticRead>(error);
    }
}
