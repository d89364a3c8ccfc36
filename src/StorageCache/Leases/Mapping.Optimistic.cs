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
    /// <inheritdoc cref="Read(long)" path="/exception"/>
    public OptimisticRead ReadOptimistic(long page)
    {
        ReadableSlot found = FindReadable(page);
        if (found.Slot == null)
        {
            found = WaitForReadable(page, _core.Options.LatchTimeout);
        }

        return new OptimisticRead(this, found);
    }

    /// <summary>As <see cref="ReadOptimistic(long)"/>, with a time-out of its own.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite. A read of the page that the calling thread carries out itself is not cut short.</param>
    /// <inheritdoc cref="Read(long)" path="/exception"/>
    public OptimisticRead ReadOptimistic(long page, TimeSpan timeout)
    {
        Throw.IfBadTimeout(timeout);
        ReadableSlot found = FindReadable(page);
        if (found.Slot == null)
        {
            found = WaitForReadable(page, timeout);
        }

        return new OptimisticRead(this, found);
    }

    /// <summary>Begins an optimistic read of a page that is in memory and not exclusively latched.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="read">What was acquired, if the result is true.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="page"/> is negative.</exception>
    public bool TryReadOptimistic(long page, out OptimisticRead read)
    {
        ReadableSlot found = FindReadable(page);
        if (found.Slot == null)
        {
            Throw.IfNegativePage(page);
            if (MeetMark(page))
            {
                found = FindReadable(page);
            }

            // A page that is not readable at this moment is exclusively latched or absent: there is nothing to try harder.
            if (found.Slot == null)
            {
                read = default;
                return false;
            }
        }

        read = new OptimisticRead(this, found);
        return true;
    }

    /// <summary>Begins an optimistic read of a page, once the page is in memory and not exclusively latched. Completes synchronously if the page can be had at once.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="cancellationToken">Cancels the wait. A read that has begun goes on; a page that can be had at once is had.</param>
    /// <inheritdoc cref="Read(long)" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<OptimisticRead> ReadOptimisticAsync(long page, CancellationToken cancellationToken = default)
    {
        ReadableSlot found = FindReadable(page);
        return found.Slot != null
            ? new ValueTask<OptimisticRead>(new OptimisticRead(this, found))
            : ReadOptimisticSlowAsync(page, _core.Options.LatchTimeout, cancellationToken);
    }

    /// <summary>As <see cref="ReadOptimisticAsync(long, CancellationToken)"/>, with a time-out of its own.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite.</param>
    /// <param name="cancellationToken">Cancels the wait. A read that has begun goes on; a page that can be had at once is had.</param>
    /// <inheritdoc cref="Read(long)" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<OptimisticRead> ReadOptimisticAsync(long page, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        Throw.IfBadTimeout(timeout);
        ReadableSlot found = FindReadable(page);
        return found.Slot != null
            ? new ValueTask<OptimisticRead>(new OptimisticRead(this, found))
            : ReadOptimisticSlowAsync(page, timeout, cancellationToken);
    }

    /// <summary>Begins an optimistic read of a slot whose leaf the caller keeps alive by a pin.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryReadOptimisticAt(Slot* slot, out OptimisticRead read)
    {
        ulong state = StateWord.Load(slot);
        if (!StateWord.IsReadable(state))
        {
            read = default;
            return false;
        }

        read = new OptimisticRead(this, new ReadableSlot(slot, state));
        return true;
    }

    /// <summary>Turns a shared latch into an optimistic read.</summary>
    internal OptimisticRead ToOptimistic(Slot* slot)
    {
        OptimisticRead read = new(this, new ReadableSlot(slot, StateWord.Load(slot)));
        ReleaseShared(slot);
        return read;
    }

    /// <summary>
    /// A hit: look up, read the state, see that the look-up still holds (PT-5). Writes nothing, but for the reference bit of a page that the
    /// clock has passed since it was last used: without it the pages that everybody reads this way would be evicted.
    /// Null if that needs more.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ReadableSlot FindReadable(long page)
    {
        PageTable table = _table;
        uint generation = table.Generation;
        Slot* slot = table.Find(page);
        if (slot != null)
        {
            ulong state = StateWord.Load(slot);
            if (StateWord.IsReadableAtOnce(state))
            {
                if ((state & StateWord.Referenced) == 0)
                {
                    StateWord.Reference(slot, state);
                }

                if (table.IsCurrent(slot, page, generation))
                {
                    _hits.Hit();
                    return new ReadableSlot(slot, state);
                }
            }
        }

        return default;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ReadableSlot WaitForReadable(long page, TimeSpan timeout)
    {
        Slot* slot = WaitFor(page, WaitMode.Shared, timeout);
        ReadableSlot found = new(slot, StateWord.Load(slot));
        ReleaseShared(slot);
        return found;
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
