using System.Runtime.CompilerServices;
using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>Write leases.</content>
public sealed unsafe partial class Mapping
{
    /// <summary>Takes the write lease of a page, reading the page in if it is not in memory. Blocks the calling thread, and no other, if that has to wait.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <inheritdoc cref="Read(long)" path="/exception"/>
    /// <exception cref="NotSupportedException">The mapping is read-only.</exception>
    /// <exception cref="MappingFailedException">The mapping has failed.</exception>
    public PageWriteLease Write(long page)
    {
        Slot* slot = LatchExclusive(page);
        if (slot == null)
        {
            slot = WaitFor(page, WaitMode.Exclusive);
        }

        return new PageWriteLease(this, slot);
    }

    /// <summary>As <see cref="Write(long)"/>, with a time-out of its own.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite. A read of the page that the calling thread carries out itself is not cut short.</param>
    /// <inheritdoc cref="Write(long)" path="/exception"/>
    public PageWriteLease Write(long page, TimeSpan timeout)
    {
        Throw.IfBadTimeout(timeout);
        Slot* slot = LatchExclusive(page);
        if (slot == null)
        {
            slot = WaitFor(page, WaitMode.Exclusive, timeout);
        }

        return new PageWriteLease(this, slot);
    }

    /// <summary>Takes the write lease of a page that is in memory, if that needs no waiting. Not held back by too many dirty pages.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="lease">What was acquired, if the result is true.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="page"/> is negative.</exception>
    /// <exception cref="NotSupportedException">The mapping is read-only.</exception>
    /// <exception cref="MappingFailedException">The mapping has failed.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    public bool TryWrite(long page, out PageWriteLease lease)
    {
        Slot* slot = LatchExclusive(page);
        if (slot == null && !TryAcquireNow(page, WaitMode.Exclusive, out slot))
        {
            lease = default;
            return false;
        }

        lease = new PageWriteLease(this, slot);
        return true;
    }

    /// <summary>Takes the write lease of a page, reading the page in if it is not in memory. Completes synchronously if the page can be had at once.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="cancellationToken">Cancels the wait. A read that has begun goes on; a page that can be had at once is had.</param>
    /// <inheritdoc cref="Write(long)" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<PageWriteLease> WriteAsync(long page, CancellationToken cancellationToken = default)
    {
        Slot* slot = LatchExclusive(page);
        return slot != null
            ? new ValueTask<PageWriteLease>(new PageWriteLease(this, slot))
            : WriteSlowAsync(page, _core.Options.LatchTimeout, cancellationToken);
    }

    /// <summary>As <see cref="WriteAsync(long, CancellationToken)"/>, with a time-out of its own.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite.</param>
    /// <param name="cancellationToken">Cancels the wait. A read that has begun goes on; a page that can be had at once is had.</param>
    /// <inheritdoc cref="Write(long)" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<PageWriteLease> WriteAsync(long page, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        Throw.IfBadTimeout(timeout);
        Slot* slot = LatchExclusive(page);
        return slot != null
            ? new ValueTask<PageWriteLease>(new PageWriteLease(this, slot))
            : WriteSlowAsync(page, timeout, cancellationToken);
    }

    /// <summary>Takes the write lease of a slot whose leaf the caller keeps alive by a pin.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryWriteAt(Slot* slot, out PageWriteLease lease)
    {
        if (IsWritable && StateWord.TryLockExclusive(slot))
        {
            lease = new PageWriteLease(this, slot);
            return true;
        }

        lease = default;
        return false;
    }

    /// <summary>As <see cref="TryWriteAt"/>, unless writers are being paused: the slow path knows whether this one is to be.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryWriteUnpausedAt(Slot* slot, out PageWriteLease lease)
    {
        if (!_throttle.IsActive)
        {
            return TryWriteAt(slot, out lease);
        }

        lease = default;
        return false;
    }

    /// <summary>Takes the write lease of a page that has not changed since its state was read.</summary>
    internal bool TryUpgradeToWrite(Slot* slot, ulong state, out PageWriteLease lease)
    {
        if (!IsWritable)
        {
            ThrowIfNotWritable();
        }

        // An upgrade that fails goes on to Write, as it has to in any case, and is paused there.
        if (!(_throttle.IsActive && _throttle.HoldsBack(this, isDirty: (state & StateWord.Dirty) != 0))
            && StateWord.TryLockExclusiveIfUnchanged(slot, state))
        {
            lease = new PageWriteLease(this, slot);
            return true;
        }

        lease = default;
        return false;
    }

    private bool IsWritable => !IsReadOnly && _state == MappingState.Open;

    /// <summary>A hit: look up, latch, see that the look-up still holds (PT-5). One interlocked operation. Null if that needs more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Slot* LatchExclusive(long page)
    {
        PageTable table = _table;
        uint generation = table.Generation;
        Slot* slot = table.Find(page);
        if (slot != null && IsWritable && !_throttle.IsActive)
        {
            if (StateWord.TryLockExclusive(slot))
            {
                if (table.IsCurrent(slot, page, generation))
                {
                    _hits.Hit();
                    return slot;
                }

                UndoExclusive(slot);
            }
        }

        return null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void UndoExclusive(Slot* slot) => ReleaseExclusive(slot);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ValueTask<PageWriteLease> WriteSlowAsync(long page, TimeSpan timeout, CancellationToken cancellationToken)
    {
        Throw.IfNegativePage(page);
        PageWaiter? waiter = AcquireAsync(page, WaitMode.Exclusive, isNew: false, isInternal: false, timeout, cancellationToken, out Slot* slot, out Exception? error);
        if (waiter is not null)
        {
            return new ValueTask<PageWriteLease>(waiter, waiter.Version);
        }

        return error is null ? new ValueTask<PageWriteLease>(new PageWriteLease(this, slot)) : ValueTask.FromException<PageWriteLease>(error);
    }
}
