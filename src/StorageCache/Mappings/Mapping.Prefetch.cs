using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>Reading ahead of use.</content>
public sealed unsafe partial class Mapping
{
    /// <summary>
    /// Starts to read the pages of a range that are not in memory, neighbours in one request, without waiting for them.
    /// A hint: it takes free frames only, so a full cache or the end of the file cuts it short.
    /// </summary>
    /// <param name="firstPage">The first page; 0 or more.</param>
    /// <param name="count">How many pages; 0 or more. Those beyond the end of the file are left out.</param>
    /// <returns>How many pages are being read because of this call.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An argument is negative.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    public int Prefetch(long firstPage, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstPage);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (_state is MappingState.Closing or MappingState.Closed)
        {
            throw Throw.MakeClosed(this);
        }

        long end = Math.Min(PageCount, firstPage + count);
        int started = 0;
        PageLoad? run = null;
        for (long page = firstPage; page < end; page++)
        {
            Slot* slot = null;
            uint frame = 0;
            if (!IsResident(page) && !TryClaimAhead(page, isNew: false, out slot, out frame))
            {
                break;
            }

            if (slot == null)
            {
                // Neighbours on both sides of a page that is there travel in different requests.
                run?.Start(isBlocking: false);
                run = null;
                continue;
            }

            if (run is null)
            {
                run = _core.Loads.RentRun();
                run.Begin(this, page);
            }

            run.Add(slot, frame);
            started++;
            if (run.Count == run.MaximumPages)
            {
                run.Start(isBlocking: false);
                run = null;
            }
        }

        run?.Start(isBlocking: false);
        return started;
    }

    private bool IsResident(long page)
    {
        Slot* slot = _table.Find(page);
        return slot != null && (StateWord.Load(slot) & (StateWord.UpToDate | StateWord.Loading)) != 0;
    }

    /// <summary>
    /// Claims an absent page for a load without a waiter. Returns false if there is no room for it; the slot is null if
    /// somebody else has brought the page in meanwhile.
    /// </summary>
    /// <param name="page">The page.</param>
    /// <param name="isNew">Whether the file is to be made long enough for the page, rather than the page refused.</param>
    /// <param name="claimed">Its slot.</param>
    /// <param name="frame">A frame for it.</param>
    private bool TryClaimAhead(long page, bool isNew, out Slot* claimed, out uint frame)
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
        if (!isAbsent || !TryClaimSlot(slot, page))
        {
            StateWord.UnlockList(slot);
            _core.PageTables.Leave(leaf);
            _core.DropFrame(frame);
            return !isAbsent;
        }

        // As for every claim: see M-3.
        Interlocked.MemoryBarrier();
        if ((isNew ? !TryExtendNow(page) : page >= PageCount) || _state is MappingState.Closing or MappingState.Closed)
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
}
