using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>Latches that the cache takes for itself; they neither load pages nor break protection.</content>
public sealed unsafe partial class Mapping
{
    /// <summary>A shared latch of a page, if it is resident. Fails with <see cref="PageTruncatedException"/> otherwise.</summary>
    private ValueTask<PageReadLease> ReadInternalAsync(long page, CancellationToken cancellationToken)
    {
        PageWaiter? waiter = AcquireAsync(page, WaitMode.Shared, isNew: false, isInternal: true, Timeout.InfiniteTimeSpan, cancellationToken, out Slot* slot, out Exception? error);
        if (waiter is not null)
        {
            return new ValueTask<PageReadLease>(waiter, waiter.Version);
        }

        return error is null ? new ValueTask<PageReadLease>(new PageReadLease(this, slot)) : ValueTask.FromException<PageReadLease>(error);
    }

    /// <summary>The exclusive latch of a page, if it is resident. Fails with <see cref="PageTruncatedException"/> otherwise.</summary>
    private ValueTask<PageWriteLease> LatchInternalAsync(long page, TimeSpan timeout, CancellationToken cancellationToken)
    {
        PageWaiter? waiter = AcquireAsync(page, WaitMode.Exclusive, isNew: false, isInternal: true, timeout, cancellationToken, out Slot* slot, out Exception? error);
        if (waiter is not null)
        {
            return new ValueTask<PageWriteLease>(waiter, waiter.Version);
        }

        return error is null ? new ValueTask<PageWriteLease>(new PageWriteLease(this, slot)) : ValueTask.FromException<PageWriteLease>(error);
    }

    /// <summary>
    /// Claims an absent page without its content if a frame is free, and latches it exclusively; the frame's bytes are
    /// whatever they were.
    /// </summary>
    private bool TryAcquireNewNow(long page, out Slot* acquired)
    {
        acquired = null;
        if (!TryClaimAhead(page, isNew: true, out Slot* slot, out uint frame) || slot == null)
        {
            return false;
        }

        StateWord.LockList(slot);
        BecomeCurrent(slot, frame, StateWord.Exclusive | StateWord.Referenced);
        StateWord.UnlockList(slot);
        _core.Counters.MadeNew();
        acquired = slot;
        return true;
    }

    /// <summary>Makes the file long enough for a new page, unless it is being truncated.</summary>
    private bool TryExtendNow(long page)
    {
        lock (_lengthLock)
        {
            // A last page that is there already keeps its length, as for those who wait for it.
            bool isWithin = page < PageCount;
            if (!isWithin && !_isTruncating)
            {
                Volatile.Write(ref _length, (page + 1) << _pageShift);
            }

            return isWithin || !_isTruncating;
        }
    }
}
