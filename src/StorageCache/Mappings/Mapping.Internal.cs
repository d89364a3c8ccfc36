using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>Latches that the cache takes for itself; they neither load pages nor break protection.</content>
public sealed unsafe partial class Mapping
{
    /// <summary>A shared latch of a page, if it is resident. Fails with <see cref="PageTruncatedException"/> otherwise.</summary>
    private ValueTask<PageReadLease> BeginReadInternal(long page, TimeSpan timeout, CancellationToken cancellationToken)
    {
        PageWaiter? waiter = AcquireAsync(page, WaitMode.Shared, isNew: false, isInternal: true, timeout, cancellationToken, out Slot* slot, out Exception? error);
        if (waiter is not null)
        {
            return new ValueTask<PageReadLease>(waiter, waiter.Version);
        }

        return error is null ? new ValueTask<PageReadLease>(new PageReadLease(this, slot)) : ValueTask.FromException<PageReadLease>(error);
    }

    /// <summary>The exclusive latch of a page, if it is resident. Fails with <see cref="PageTruncatedException"/> otherwise.</summary>
    private ValueTask<PageWriteLease> BeginLatchInternal(long page, TimeSpan timeout, CancellationToken cancellationToken)
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
        if (!TryClaimNow(page, isNew: true, bits: 0, out Slot* slot, out uint frame) || slot == null)
        {
            return false;
        }

        // Those who came to pin it meanwhile wait for no latch (W-11); nobody's code runs under this one.
        using InlineResumption.Bar bar = InlineResumption.Forbid();
        ReadyChain ready = default;
        StateWord.LockList(slot);
        BecomeCurrent(slot, frame, StateWord.ExclusivelyTaken | StateWord.Referenced);
        Grant(slot, ref ready);
        StateWord.UnlockList(slot);
        ready.Dispatch();
        _core.Counters.MadeNew();
        acquired = slot;
        return true;
    }

    /// <summary>
    /// Claims an absent page if a frame is free. Returns false if there is no room for it, or no such page; the slot is null if
    /// somebody else has brought the page in meanwhile.
    /// </summary>
    /// <param name="page">The page.</param>
    /// <param name="isNew">Whether the file is to be made long enough for the page, rather than the page refused.</param>
    /// <param name="bits">State bits that the page starts with.</param>
    /// <param name="claimed">Its slot.</param>
    /// <param name="frame">A frame for it.</param>
    private bool TryClaimNow(long page, bool isNew, ulong bits, out Slot* claimed, out uint frame)
    {
        claimed = null;
        frame = _core.Frames.TryAllocate(forBreak: false);
        _core.Reclaimer.Balance();
        if (frame == 0)
        {
            return false;
        }

        Slot* slot = _table.Enter(page, create: true, out _);
        if (slot == null)
        {
            _core.DropFrame(frame);
            return false;
        }

        LeafHeader* leaf = _core.PageTables.HeaderOf(slot);
        ulong state = StateWord.LockList(slot);
        bool isAbsent = (state & (StateWord.UpToDate | StateWord.Loading)) == 0;
        if (!isAbsent || !TryClaimSlot(slot, page, bits))
        {
            StateWord.UnlockList(slot);
            _core.PageTables.Leave(leaf);
            _core.DropFrame(frame);
            return !isAbsent;
        }

        // As for every claim: see M-3.
        Interlocked.MemoryBarrier();
        if ((isNew ? !TryExtendNow(page) : page >= PageCount || MayBeLost(slot, page)) || _state is MappingState.Closing or MappingState.Closed || !MayComeIn(page))
        {
            ReadyChain nobody = default;
            Unclaim(slot, ref nobody);
            _core.DropFrame(frame);
            return false;
        }

        StateWord.UnlockList(slot);
        claimed = slot;
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
                Grow((page + 1) << _pageShift);
            }

            return isWithin || !_isTruncating;
        }
    }
}
