using System.Runtime.CompilerServices;
using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>Read leases.</content>
public sealed unsafe partial class Mapping
{
    /// <summary>Takes a read lease of a page, reading the page in if it is not in memory. Blocks the calling thread, and no other, if that has to wait.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of its range.</exception>
    /// <exception cref="PageReadException">The page could not be read.</exception>
    /// <exception cref="PageTruncatedException">The page lies beyond the end of the file.</exception>
    /// <exception cref="CacheFullException">No frame came free in time.</exception>
    /// <exception cref="LatchTimeoutException">The page did not become available in time.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    public PageReadLease Read(long page)
    {
        Slot* slot = LatchShared(page);
        if (slot == null)
        {
            slot = WaitFor(page, WaitMode.Shared);
        }

        return new PageReadLease(this, slot);
    }

    /// <summary>As <see cref="Read(long)"/>, with a time-out of its own.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite. A read of the page that the calling thread carries out itself is not cut short.</param>
    /// <inheritdoc cref="Read(long)" path="/exception"/>
    public PageReadLease Read(long page, TimeSpan timeout)
    {
        Throw.IfBadTimeout(timeout);
        Slot* slot = LatchShared(page);
        if (slot == null)
        {
            slot = WaitFor(page, WaitMode.Shared, timeout);
        }

        return new PageReadLease(this, slot);
    }

    /// <summary>Takes a read lease of a page that is in memory, if that needs no waiting.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="lease">What was acquired, if the result is true.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="page"/> is negative.</exception>
    public bool TryRead(long page, out PageReadLease lease)
    {
        Slot* slot = LatchShared(page);
        if (slot == null && !TryAcquireNow(page, WaitMode.Shared, out slot))
        {
            lease = default;
            return false;
        }

        lease = new PageReadLease(this, slot);
        return true;
    }

    /// <summary>Takes a read lease of a page, reading the page in if it is not in memory. Completes synchronously if the page can be had at once.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="cancellationToken">Cancels the wait. A read that has begun goes on; a page that can be had at once is had.</param>
    /// <inheritdoc cref="Read(long)" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<PageReadLease> ReadAsync(long page, CancellationToken cancellationToken = default)
    {
        Slot* slot = LatchShared(page);
        return slot != null
            ? new ValueTask<PageReadLease>(new PageReadLease(this, slot))
            : ReadSlowAsync(page, _core.Options.LatchTimeout, cancellationToken);
    }

    /// <summary>As <see cref="ReadAsync(long, CancellationToken)"/>, with a time-out of its own.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite.</param>
    /// <param name="cancellationToken">Cancels the wait. A read that has begun goes on; a page that can be had at once is had.</param>
    /// <inheritdoc cref="Read(long)" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<PageReadLease> ReadAsync(long page, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        Throw.IfBadTimeout(timeout);
        Slot* slot = LatchShared(page);
        return slot != null
            ? new ValueTask<PageReadLease>(new PageReadLease(this, slot))
            : ReadSlowAsync(page, timeout, cancellationToken);
    }

    /// <summary>Takes a read lease of a slot whose leaf the caller keeps alive by a pin.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryReadAt(Slot* slot, out PageReadLease lease)
    {
        if (StateWord.TryLockShared(slot))
        {
            lease = new PageReadLease(this, slot);
            return true;
        }

        lease = default;
        return false;
    }

    /// <summary>A hit: look up, latch, see that the look-up still holds (PT-5). One interlocked operation. Null if that needs more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Slot* LatchShared(long page)
    {
        PageTable table = _table;
        uint generation = table.Generation;
        Slot* slot = table.Find(page);
        if (slot != null)
        {
            if (StateWord.TryLockShared(slot))
            {
                if (table.IsCurrent(slot, page, generation))
                {
                    _hits.Hit();
                    return slot;
                }

                UndoShared(slot);
            }
        }

        return null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void UndoShared(Slot* slot) => ReleaseShared(slot);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ValueTask<PageReadLease> ReadSlowAsync(long page, TimeSpan timeout, CancellationToken cancellationToken)
    {
        Throw.IfNegativePage(page);
        PageWaiter? waiter = AcquireAsync(page, WaitMode.Shared, isNew: false, isInternal: false, timeout, cancellationToken, out Slot* slot, out Exception? error);
        if (waiter is not null)
        {
            return new ValueTask<PageReadLease>(waiter, waiter.Version);
        }

        return error is null ? new ValueTask<PageReadLease>(new PageReadLease(this, slot)) : ValueTask.FromException<PageReadLease>(error);
    }
}
