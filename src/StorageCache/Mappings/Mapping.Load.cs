using System.Diagnostics;
using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.IO;
using StorageCache.Mappings;
using StorageCache.Platform;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>
/// Bringing pages in. One load per page is under way at most; everybody else who wants the page stands in its wait list.
/// </content>
public sealed unsafe partial class Mapping
{
    /// <summary>Starts a load that was claimed, at once if there is a frame, else when one comes free.</summary>
    private void StartLoad(PageLoad load, bool isBlocking)
    {
        uint frame = load.FrameAt(0);
        if (!load.IsNew && TryFinishLoadByExtent(load, frame))
        {
            return;
        }

        if (frame == 0)
        {
            // Nobody else's code runs here while the page is claimed and its load is not under way.
            using InlineResumption.Bar bar = InlineResumption.Forbid();
            frame = _core.TryAllocateFrame(forBreak: false);
        }

        if (frame == 0)
        {
            QueueForFrame(load, FrameNeed.Frame);
            return;
        }

        load.SetFrame(frame);
        StartWithFrame(load, isBlocking);
    }

    /// <summary>Ends a load of one page that is in memory for another file; see <see cref="TryFinishByExtent"/>.</summary>
    private bool TryFinishLoadByExtent(PageLoad load, uint frame)
    {
        ReadyChain ready = default;
        if (!TryFinishByExtent(load.SlotAt(0), load.FirstPage, ref ready))
        {
            return false;
        }

        _core.Loads.Return(load);
        if (frame != 0)
        {
            _core.DropFrame(frame);
        }

        ready.Dispatch();
        return true;
    }

    /// <summary>Puts somebody into the frame queue, and arms it if it is a waiter. Afterwards it may be gone.</summary>
    private void QueueForFrame(IFrameWaiter waiter, FrameNeed need)
    {
        _core.Counters.WaitedForFrame();
        _core.FrameQueue.Enqueue(waiter, need);
        _core.Reclaimer.Call();
        _core.FrameQueue.Pump();
    }

    /// <summary>Has a waiter wait for a frame before it claims its page.</summary>
    private AcquireStep QueueForFrameFirst(PageWaiter waiter)
    {
        Withdraw(waiter);
        QueueForFrame(waiter, FrameNeed.Frame);
        return AcquireStep.Queued;
    }

    /// <summary>
    /// Has a waiter that found no room for metadata, or no head, wait for it, at its old turn. The background eviction looks after
    /// it: what has just not been enough is not offered again at once.
    /// </summary>
    private AcquireStep QueueForMetadata(PageWaiter waiter, FrameNeed need)
    {
        Withdraw(waiter);
        DropReserved(waiter);
        _core.Counters.WaitedForFrame();
        _core.FrameQueue.Enqueue(waiter, need);
        _core.Reclaimer.Call();
        return AcquireStep.Queued;
    }

    /// <summary>Gives back what a waiter was handed in the frame queue and has not used.</summary>
    private void DropReserved(PageWaiter waiter)
    {
        uint frame = waiter.ReservedFrame;
        if (frame != 0)
        {
            waiter.ReservedFrame = 0;
            _core.DropFrame(frame);
        }

        if (waiter.ReservedRoom != 0)
        {
            ReturnRoom(waiter);
            _core.FrameQueue.Pump();
        }
    }

    private void ReturnRoom(PageWaiter waiter)
    {
        _core.Frames.ReturnRoom(waiter.ReservedRoom);
        waiter.ReservedRoom = 0;
    }

    /// <summary>Takes in what a read brought.</summary>
    internal void CompleteLoad(PageLoad load, int bytesTransferred, IOException? error)
    {
        if (error is null && bytesTransferred < load.ByteCount && !IsAtEnd(load, bytesTransferred, out error) && error is null)
        {
            load.Start(isBlocking: false);
            return;
        }

        if (error is not null)
        {
            _core.Counters.ReadFailed();
            FailLoad(load, error, isOwn: false);
            return;
        }

        _core.Counters.Read(bytesTransferred);

        // Waiters are dispatched only when the load is back in its pool: they may run here and load again.
        ReadyChain ready = default;
        bool freed = false;
        List<(PageLoad Load, IOException Error)>? defects = null;
        for (int i = 0; i < load.Count; i++)
        {
            int valid = Math.Clamp(bytesTransferred - (i * PageSize), 0, PageSize);
            if (MayBeLost(load.SlotAt(i), load.FirstPage + i))
            {
                AddDefect(load, i, Throw.MakeLost(this, load.FirstPage + i), ref defects);
                continue;
            }

            if (Codec is not null && !TryDecode(load, i, valid, ref defects))
            {
                continue;
            }

            freed |= FinishPage(load.SlotAt(i), load.FirstPage + i, load.FrameAt(i), valid, ref ready);
        }

        _core.Loads.Return(load);
        if (defects is not null)
        {
            FailDefects(defects);
        }

        if (freed)
        {
            _core.FrameQueue.Pump();
        }

        ready.Dispatch();
    }

    /// <summary>
    /// Whether a read that brought less than was asked for ended where the device does. If not, zeros would pass for the
    /// rest of the page (M-4). The device may have grown since the read ended, so it is read once more, and only one that
    /// stops short of what it had before is in error.
    /// </summary>
    private bool IsAtEnd(PageLoad load, int bytesTransferred, out IOException? error)
    {
        error = null;
        long end = load.Offset + bytesTransferred;
        if (end >= ContentLength)
        {
            return true;
        }

        try
        {
            long length = DeviceBoundary.LengthOf(Device);
            if (end >= length)
            {
                return true;
            }

            if (end < load.DeviceLength)
            {
                error = new BlockIOException($"Read of {load.ByteCount} bytes at offset {load.Offset} of '{Path}' ended at {end}, but the device is {length} bytes long.", Errno.EIO);
            }

            load.DeviceLength = length;
        }
        catch (IOException unknown)
        {
            error = unknown;
        }

        return false;
    }

    /// <summary>
    /// Ends a load that reads nothing, because the page is wanted without its content: the page goes straight to the one
    /// who wants it so. Nobody else may see it before, for it does not hold what the device does (B-4): it stays loading until
    /// that one has come for it. If that one has left, the page is read after all.
    /// </summary>
    internal void CompleteNew(PageLoad load, bool isBlocking)
    {
        Slot* slot = load.SlotAt(0);
        PageWaiter issuer = load.Issuer!;
        new Span<byte>(AddressOf(load.FrameAt(0)), PageSize).Clear();
        StateWord.LockList(slot);
        if (!issuer.TryResume(load.IssuerTicket, WaitOutcome.Granted))
        {
            StateWord.UnlockList(slot);
            load.WantContent();
            load.Start(isBlocking);
            return;
        }

        Unlink(slot, HeadOf(slot), issuer);
        issuer.Slot = slot;
        issuer.Made = load;
        StateWord.UnlockList(slot);
        issuer.Dispatch();
    }

    /// <summary>Lets the one who asked for a page without its content have it, exclusively latched.</summary>
    private void TakeMade(PageWaiter waiter, PageLoad load)
    {
        Slot* slot = waiter.Slot;
        waiter.Made = null;
        waiter.IsFresh = true;

        // Those who came to pin it meanwhile wait for no latch (W-11); nobody's code runs under this one.
        using InlineResumption.Bar bar = InlineResumption.Forbid();
        ReadyChain ready = default;
        StateWord.LockList(slot);
        BecomeCurrent(slot, load.FrameAt(0), StateWord.ExclusivelyTaken | StateWord.Referenced);
        Grant(slot, ref ready);
        StateWord.UnlockList(slot);
        _core.Loads.Return(load);
        ready.Dispatch();
    }

    /// <summary>Has a page read after all that was made for one who has left since. Others may stand in line for it.</summary>
    private static void ForsakeMade(PageWaiter waiter, PageLoad load)
    {
        waiter.Made = null;
        load.WantContent();
        load.Start(isBlocking: false);
    }

    /// <summary>Ends a load for which no frame came in time. Everybody who stands in line for the page gets to know: each of them
    /// would otherwise wait for the same frame all over again, one after the other.</summary>
    internal void AbandonLoad(PageLoad load)
    {
        Slot* slot = load.SlotAt(0);
        _core.Loads.Return(load);
        ReadyChain ready = default;
        StateWord.LockList(slot);
        BufferHead* head = HeadOf(slot);
        PageWaiter? waiter = FirstWaiter(head);
        while (waiter is not null)
        {
            var next = (PageWaiter?)waiter.Next;
            Unlink(slot, head, waiter);
            if (waiter.TryResume(WaitOutcome.Failed))
            {
                ready.Add(waiter);
            }

            waiter = next;
        }

        Unclaim(slot, ref ready);
        ready.Dispatch();
    }

    /// <summary>Makes a loaded page current and lets its waiters have it. Returns whether it had a frame to give back.</summary>
    private bool FinishPage(Slot* slot, long page, uint frame, int validBytes, ref ReadyChain ready)
    {
        int keep = ClearBeyondEnd(page, frame, validBytes);
        if (Sharing is { } sharing)
        {
            return FinishShareable(sharing, slot, page, frame, isWhole: keep == PageSize, ref ready);
        }

        StateWord.LockList(slot);
        BecomeCurrent(slot, frame, 0);
        Grant(slot, ref ready);
        StateWord.UnlockList(slot);
        return false;
    }

    /// <summary>Has what lies beyond the end of the file read as zeros, whatever the device holds there. Returns how many bytes there are before it.</summary>
    private int ClearBeyondEnd(long page, uint frame, int validBytes)
    {
        long inFile = Math.Clamp(ContentLength - (page << _pageShift), 0, PageSize);
        int keep = (int)Math.Min(validBytes, inFile);
        new Span<byte>(AddressOf(frame) + keep, PageSize - keep).Clear();
        return keep;
    }

    /// <summary>Turns a page from loading to up to date, in a frame that is the caller's alone. The list lock is held.</summary>
    /// <param name="slot">The page.</param>
    /// <param name="frame">Where its bytes are.</param>
    /// <param name="taken">State bits that are set in the same step.</param>
    private void BecomeCurrent(Slot* slot, uint frame, ulong taken)
    {
        bool isCurrent = TryBecomeCurrent(slot, frame, taken);
        Debug.Assert(isCurrent, "a frame of one's own needs no further owner");
    }

    /// <summary>
    /// Turns a page from loading to up to date; the caller's reference to the frame becomes the page's. Returns false, and changes
    /// nothing, if the frame has an owner and there is no room for another. The list lock is held.
    /// </summary>
    private bool TryBecomeCurrent(Slot* slot, uint frame, ulong taken)
    {
        if (!_core.Protection.Owners.TryAttach(frame, slot->Head))
        {
            return false;
        }

        slot->Frame = frame;
        while (true)
        {
            ulong state = StateWord.Load(slot);
            Debug.Assert((state & (StateWord.Loading | StateWord.UpToDate)) == StateWord.Loading, "a load ends once (B-4)");
            if (StateWord.TryChange(slot, state, ((state + StateWord.VersionOne) & ~StateWord.Loading) | StateWord.UpToDate | taken))
            {
                break;
            }
        }

        Interlocked.Increment(ref _residentPages);
        return true;
    }

    /// <summary>Ends a load that has failed: its issuer gets the error, and whoever is next in line tries again.</summary>
    /// <param name="load">The load. One of several pages is tried again page by page.</param>
    /// <param name="error">What the device has failed with, or the mapping itself.</param>
    /// <param name="isOwn">
    /// Whether the error is the mapping's own word on this page: that it is corrupt, says the codec, or may be lost. What a device fails with is its own
    /// trouble, be it that it reads through another cache and a page there is corrupt.
    /// </param>
    private void FailLoad(PageLoad load, IOException error, bool isOwn)
    {
        if (load.Count > 1)
        {
            NarrowLoad(load);
            return;
        }

        Slot* slot = load.SlotAt(0);
        long page = load.FirstPage;
        ReadyChain ready = default;

        // What has to be made is made before the lock is taken: an error, and, if the device may come back to the request, another.
        Exception failure = isOwn ? error : Throw.MakeReadFailed(this, page, error);
        if (!isOwn || error is PageCorruptException)
        {
            _core.Health.Raise(isOwn ? HealthEventKind.PageCorrupt : HealthEventKind.ReadFailed, this, page, error);
        }

        PageLoad? another = load.IsForsaken ? _core.Loads.RentSingle() : null;
        StateWord.LockList(slot);
        BufferHead* head = HeadOf(slot);
        PageWaiter? waiter = FirstWaiter(head);
        if (waiter is not null && ReferenceEquals(waiter, load.Issuer) && waiter.Ticket == load.IssuerTicket)
        {
            Unlink(slot, head, waiter);
            if (waiter.TryResume(WaitOutcome.Failed, failure))
            {
                ready.Add(waiter);
            }
        }

        // The next one tries again, with the frame that is there; those behind it stay where they are.
        waiter = FirstWaiter(head);
        while (waiter is not null && !waiter.IsArmed)
        {
            waiter = (PageWaiter?)waiter.Next;
        }

        if (waiter is not null)
        {
            PageLoad next = another ?? load;
            if (another is null)
            {
                load.SetIssuer(waiter);
            }
            else
            {
                another.Prepare(this, slot, page, waiter, load.FrameAt(0));
            }

            MoveToFront(head, waiter);
            StateWord.UnlockList(slot);
            if (another is not null)
            {
                _core.Loads.Return(load);
            }

            ready.Dispatch();
            next.StartElsewhere();
            return;
        }

        uint frame = load.FrameAt(0);
        _core.Loads.Return(load);
        if (another is not null)
        {
            _core.Loads.Return(another);
        }

        DetachWaiters(slot, ref ready);
        Unclaim(slot, ref ready);
        _core.DropFrame(frame);
        ready.Dispatch();
    }

    /// <summary>Adds a load of a page alone, which was read and is not to be had, to those that are to fail.</summary>
    private void AddDefect(PageLoad load, int index, IOException error, ref List<(PageLoad Load, IOException Error)>? defects)
    {
        PageLoad single = _core.Loads.RentSingle();
        single.Prepare(this, load.SlotAt(index), load.FirstPage + index, issuer: null, load.FrameAt(index));
        single.TakeOver(load);
        (defects ??= []).Add((single, error));
    }

    /// <summary>Ends the loads of pages that were read and are not what they were to be, as a failed read of each would (PC-3).</summary>
    private void FailDefects(List<(PageLoad Load, IOException Error)> defects)
    {
        // Others that came with them have been granted to waiters who do not know yet: nobody's code runs here that could wait for those.
        using InlineResumption.Bar bar = InlineResumption.Forbid();
        foreach ((PageLoad load, IOException error) in defects)
        {
            FailLoad(load, error, isOwn: error is PageCorruptException or MappingFailedException);
        }
    }

    /// <summary>
    /// Whether a sync has failed, so that the device may have lost what it has taken for a page since the last good one. What is in
    /// memory is what was written; the device is not asked for it any more (WB-20).
    /// </summary>
    private bool MayBeLost(Slot* slot, long page) => Volatile.Read(ref _failure) is not null && _table.MayBeUnsynced(slot, page);

    /// <summary>Reads the pages of a failed run one by one, so that only those which cannot be read fail.</summary>
    private void NarrowLoad(PageLoad run)
    {
        for (int i = 0; i < run.Count; i++)
        {
            PageLoad load = _core.Loads.RentSingle();
            load.Prepare(this, run.SlotAt(i), run.FirstPage + i, issuer: null, run.FrameAt(i));
            load.StartElsewhere();
        }

        _core.Loads.Return(run);
    }

    private void MoveToFront(BufferHead* head, PageWaiter waiter)
    {
        PageWaiter first = FirstWaiter(head)!;
        if (!ReferenceEquals(first, waiter))
        {
            WaitList.Remove(ref head->Waiters, first, waiter);
            WaitList.AddFirst(ref head->Waiters, FirstWaiter(head), waiter);
        }
    }

    /// <summary>Takes a claim back: the page is absent again. The list lock is held, and left here.</summary>
    private void Unclaim(Slot* slot, ref ReadyChain ready)
    {
        Debug.Assert((StateWord.Load(slot) & StateWord.Loading) != 0, "only a claimed page is unclaimed");
        DetachWaiters(slot, ref ready);
        Vacate(slot, shadow: 0);
    }

    /// <summary>
    /// Makes the slot of a page that has no frame any more an absent page's, and lets the head go unless pins keep it. The
    /// list lock is held, and left here; nobody waits.
    /// </summary>
    private void Vacate(Slot* slot, uint shadow)
    {
        uint index = slot->Head;
        BufferHead* head = _core.Heads[index];
        Debug.Assert(head->Waiters == 0, "nobody waits for a page that leaves (B-5)");
        ulong version = (StateWord.Load(slot) & StateWord.VersionMask) + StateWord.VersionOne;
        if (Volatile.Read(ref head->Pins) != 0)
        {
            // The page was truncated away under a pin. The last pin takes the head along.
            StateWord.Replace(slot, version | StateWord.Attached | StateWord.Pinned);
            DetachIfEmpty(head->Page);
            return;
        }

        LeafHeader* leaf = _core.PageTables.HeaderOf(slot);
        slot->Head = shadow;
        StateWord.Replace(slot, version);
        _core.Heads.Free(index);
        _core.PageTables.Leave(leaf);
    }

    /// <summary>Frees the head of an absent page if the last pin has gone.</summary>
    internal void DetachIfEmpty(long page)
    {
        Slot* slot = _table.Enter(page, create: false, out _);
        if (slot == null)
        {
            return;
        }

        LeafHeader* leaf = _core.PageTables.HeaderOf(slot);
        ulong state = StateWord.LockList(slot);
        const ulong Absent = StateWord.Attached;
        const ulong Present = StateWord.Attached | StateWord.UpToDate | StateWord.Loading;
        if ((state & Present) == Absent && Volatile.Read(ref HeadOf(slot)->Pins) == 0)
        {
            Vacate(slot, shadow: 0);
        }
        else
        {
            StateWord.UnlockList(slot);
        }

        _core.PageTables.Leave(leaf);
    }

    /// <summary>
    /// Takes a page out of memory. The caller holds the exclusive latch and the list lock, and the page is not under
    /// write-back; both end here. What is dirty is forgotten.
    /// </summary>
    internal void RemovePage(Slot* slot, uint shadow, ref ReadyChain ready)
    {
        ulong state = StateWord.Load(slot);
        Debug.Assert((state & (StateWord.Exclusive | StateWord.ListLock | StateWord.WriteBack)) == (StateWord.Exclusive | StateWord.ListLock), "a page leaves under its exclusive latch (B-7)");
        if ((state & StateWord.Dirty) != 0)
        {
            ForgetDirty(slot);
        }

        uint frame = slot->Frame;
        _core.Protection.Owners.Detach(frame, slot->Head);
        Interlocked.Decrement(ref _residentPages);
        DetachWaiters(slot, ref ready);
        Vacate(slot, shadow);
        _core.DropFrame(frame);
    }
}
