using System.Diagnostics;
using System.Runtime.CompilerServices;
using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>
/// The slow path of every lease: an attempt (<see cref="Advance"/>) under the buffer's list lock either takes the page,
/// joins its wait list, or claims its load. A waiter that is resumed attempts again, so there is one place that decides.
/// </content>
public sealed unsafe partial class Mapping
{
    /// <summary>Acquires on the calling thread, which blocks. Only that thread waits; no other is borrowed.</summary>
    internal Slot* AcquireBlocking(long page, WaitMode mode, bool isNew, TimeSpan timeout)
    {
        PageWaiter waiter = _core.Waiters.Rent();
        waiter.Prepare(this, page, mode, isNew, isInternal: false, isBlocking: true, timeout, CancellationToken.None);
        try
        {
            while (true)
            {
                AcquireStep step = Attempt(waiter, isBlocking: true, out Exception? error);
                if (step == AcquireStep.Queued)
                {
                    step = Resume(waiter, waiter.Block(), out error);
                }

                switch (step)
                {
                    case AcquireStep.Acquired:
                        CountAcquired(waiter);
                        return waiter.Slot;
                    case AcquireStep.Failed:
                        throw error!;
                }
            }
        }
        finally
        {
            DropReserved(waiter);
            waiter.Return();
        }
    }

    /// <summary>
    /// Begins to acquire without blocking. Returns the waiter whose value task is to be awaited, or null when the slot or
    /// the error is known already.
    /// </summary>
    internal PageWaiter? AcquireAsync(
        long page, WaitMode mode, bool isNew, bool isInternal, TimeSpan timeout, CancellationToken token, out Slot* slot, out Exception? error)
    {
        slot = null;
        if (token.IsCancellationRequested)
        {
            error = new OperationCanceledException(token);
            return null;
        }

        PageWaiter waiter = _core.Waiters.Rent();
        waiter.Prepare(this, page, mode, isNew, isInternal, isBlocking: false, timeout, token);
        AcquireStep step = Attempt(waiter, isBlocking: false, out error);
        if (step == AcquireStep.Queued)
        {
            return waiter;
        }

        if (step == AcquireStep.Acquired)
        {
            CountAcquired(waiter);
            slot = waiter.Slot;
        }

        DropReserved(waiter);
        waiter.Return();
        return null;
    }

    /// <summary>Goes on with an acquisition whose waiter was resumed. Runs with no lock held.</summary>
    internal void Continue(PageWaiter waiter)
    {
        AcquireStep step = Resume(waiter, waiter.Outcome, out Exception? error);
        if (step == AcquireStep.Queued)
        {
            step = Attempt(waiter, isBlocking: false, out error);
        }

        switch (step)
        {
            case AcquireStep.Queued:
                return;
            case AcquireStep.Acquired:
                CountAcquired(waiter);
                DropReserved(waiter);
                waiter.SetAcquired();
                return;
            default:
                DropReserved(waiter);
                waiter.SetError(error!);
                return;
        }
    }

    /// <summary>What a synchronous lease does when its page is not to be had at once, with the cache's own time-out.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Slot* WaitFor(long page, WaitMode mode) => WaitFor(page, mode, _core.Options.LatchTimeout);

    /// <summary>What a synchronous lease does when its page is not to be had at once.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Slot* WaitFor(long page, WaitMode mode, TimeSpan timeout)
    {
        Throw.IfNegativePage(page);
        return AcquireBlocking(page, mode, isNew: false, timeout);
    }

    /// <summary>Takes a resident page now or not at all, even past waiters if they have not been passed too often.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryAcquireNow(long page, WaitMode mode, out Slot* acquired)
    {
        acquired = null;
        Throw.IfNegativePage(page);
        if (mode == WaitMode.Exclusive)
        {
            ThrowIfNotWritable();
        }

        Slot* slot = _table.Enter(page, create: false, out _);
        if (slot == null)
        {
            return false;
        }

        if (StateWord.TakeMark(slot))
        {
            // The slot may be used on: its leaf is held.
            ReadAheadOfMark(page);
        }

        StateWord.LockList(slot);
        bool taken = (StateWord.Load(slot) & StateWord.UpToDate) != 0
            && (mode != WaitMode.Exclusive || (StateWord.Load(slot) & StateWord.Protected) == 0 || CanBreakNow())
            && TryTake(slot, mode, self: null);
        StateWord.UnlockList(slot);
        _core.PageTables.Leave(_core.PageTables.HeaderOf(slot));
        if (!taken)
        {
            return false;
        }

        if (mode == WaitMode.Exclusive && !TryBreakIfProtected(slot, reservedFrame: 0))
        {
            ReleaseExclusive(slot);
            return false;
        }

        _hits.Hit();
        acquired = slot;
        return true;
    }

    private void CountAcquired(PageWaiter waiter)
    {
        if (!waiter.Missed && !waiter.IsInternal)
        {
            _hits.Hit();
        }
    }

    private bool CanBreakNow() => _core.Frames.Available > 0;

    /// <summary>What a resumption means. <see cref="AcquireStep.Queued"/>: attempt again.</summary>
    private AcquireStep Resume(PageWaiter waiter, WaitOutcome outcome, out Exception? error)
    {
        error = null;
        switch (outcome)
        {
            case WaitOutcome.Granted when waiter.IsCancelled:
                // Granted and cancelled at once: the grant goes on to the next in line (W-4).
                ReleaseGrant(waiter);
                error = new OperationCanceledException(waiter.Token);
                return AcquireStep.Failed;
            case WaitOutcome.Granted:
                if (waiter.Made is { } load)
                {
                    TakeMade(waiter, load);
                }

                return FinishAcquired(waiter) ? AcquireStep.Acquired : AcquireStep.Queued;
            case WaitOutcome.Failed:
                // Made here, and not by the one who found out, who holds a list lock and has all who wait to tell.
                error = waiter.Error ?? Throw.MakeCacheFull(this, waiter.Page, _core.Options.FrameTimeout);
                Withdraw(waiter);
                return AcquireStep.Failed;
            default:
                return AcquireStep.Queued;
        }
    }

    /// <summary>Attempts until the page is had, a wait has begun, or it cannot be had; starts the load if it falls to us.</summary>
    private AcquireStep Attempt(PageWaiter waiter, bool isBlocking, out Exception? error)
    {
        while (true)
        {
            // Asked for now: once the waiter is armed, anybody may resume it, and it may go round to somebody else.
            long ticket = waiter.NextTicket;
            AcquireStep step = Advance(waiter, out PageLoad? load, out error);
            if (step is AcquireStep.Queued or AcquireStep.Load)
            {
                waiter.Watch(ticket);
            }

            switch (step)
            {
                case AcquireStep.Acquired when !FinishAcquired(waiter):
                case AcquireStep.Again:
                    continue;
                case AcquireStep.Load:
                    StartLoad(load!, isBlocking);
                    return AcquireStep.Queued;
                default:
                    return step;
            }
        }
    }

    /// <summary>One attempt. Arms the waiter once if it is queued or is to load, and not otherwise.</summary>
    private AcquireStep Advance(PageWaiter waiter, out PageLoad? load, out Exception? error)
    {
        load = null;
        error = Refusal(waiter);
        if (error is not null)
        {
            Withdraw(waiter);
            return AcquireStep.Failed;
        }

        if (waiter.Mode == WaitMode.Exclusive && !waiter.IsInternal)
        {
            if (waiter.IsForBreak && waiter.ReservedFrame == 0 && TryQueueForBreak(waiter))
            {
                return AcquireStep.Queued;
            }

            if (!waiter.WasThrottled && _throttle.TryPause(waiter))
            {
                return AcquireStep.Queued;
            }
        }

        if (waiter.IsNew && !TryExtendFor(waiter))
        {
            return AcquireStep.Queued;
        }

        if (_punch is { } punch && TryQueueForPunch(punch, waiter))
        {
            return AcquireStep.Queued;
        }

        if (!TryEnterFor(waiter, out Slot* slot, out error))
        {
            // Room in the budget is of no use to who would find no memory for it.
            FrameNeed need = _core.PageTables.MayGrow ? FrameNeed.Room : FrameNeed.FrameAndMore;
            return error is null ? QueueForMetadata(waiter, need) : AcquireStep.Failed;
        }

        LeafHeader* leaf = _core.PageTables.HeaderOf(slot);
        if (waiter.Mode == WaitMode.Exclusive && (StateWord.Load(slot) & StateWord.Protected) != 0)
        {
            _core.Protection.Foresee(slot);
        }

        if (!waiter.IsInternal && StateWord.TakeMark(slot))
        {
            // Before anything is held: what follows takes a while.
            _core.PageTables.Leave(leaf);
            ReadAheadOfMark(waiter.Page);
            return AcquireStep.Again;
        }

        if (MustBringFrame(waiter, slot))
        {
            waiter.ReservedFrame = _core.TryAllocateFrame(forBreak: false);
            if (waiter.ReservedFrame == 0)
            {
                _core.PageTables.Leave(leaf);
                return QueueForFrameFirst(waiter);
            }
        }

        PageLoad? spare = IsAbsent(StateWord.Load(slot)) && !waiter.IsInternal ? _core.Loads.RentSingle() : null;
        AcquireStep step;
        if (!IsAbsent(StateWord.LockList(slot)))
        {
            // Once it stands in line and the lock is free, the waiter may be resumed, and be somebody else's.
            long ticket = waiter.NextTicket;
            bool isInternal = waiter.IsInternal;
            step = TakeOrJoin(waiter, slot);
            StateWord.UnlockList(slot);
            _core.PageTables.Leave(leaf);
            if (step == AcquireStep.Queued && !isInternal && IsGone && waiter.TryResume(ticket, WaitOutcome.Retry))
            {
                // Closing says so first and sends those away afterwards who stand in line; one who has come there meanwhile
                // finds out here (M-3).
                waiter.Dispatch();
            }
        }
        else if (waiter.IsInternal)
        {
            StateWord.UnlockList(slot);
            _core.PageTables.Leave(leaf);
            error = Throw.MakeTruncated(this, waiter.Page);
            step = AcquireStep.Failed;
        }
        else if (spare is null)
        {
            // It has left in between. A load is not made under a list lock.
            StateWord.UnlockList(slot);
            _core.PageTables.Leave(leaf);
            step = AcquireStep.Again;
        }
        else
        {
            step = Claim(waiter, slot, leaf, spare, out error);
            if (step == AcquireStep.Load)
            {
                load = spare;
                spare = null;
            }
        }

        if (spare is not null)
        {
            _core.Loads.Return(spare);
        }

        return step;
    }

    /// <summary>
    /// Enters the page's leaf, and makes it if need be. Without an error, false means that there is no memory for it.
    /// </summary>
    private bool TryEnterFor(PageWaiter waiter, out Slot* slot, out Exception? error)
    {
        error = null;
        bool mayLeaveSome = waiter.ReservedRoom != 0;
        if (mayLeaveSome)
        {
            // Somebody else may be quicker; then it is queued again, at its old turn.
            ReturnRoom(waiter);
        }

        slot = _table.Enter(waiter.Page, create: !waiter.IsInternal, out bool outOfMemory);
        while (slot == null)
        {
            if (!outOfMemory)
            {
                // Not resident, which is all that the cache itself wants to know; or the mapping has been closed meanwhile.
                error = Refusal(waiter) ?? Throw.MakeTruncated(this, waiter.Page);
                return false;
            }

            if (waiter.ReservedFrame != 0)
            {
                // To make room of it, and not to hand it to the next in line, who may lack the very same leaf.
                _core.Frames.DropReference(waiter.ReservedFrame);
                waiter.ReservedFrame = 0;
                mayLeaveSome = true;
            }

            if (!_core.TryMakeRoomForMetadata())
            {
                return false;
            }

            slot = _table.Enter(waiter.Page, create: true, out outOfMemory);
        }

        if (mayLeaveSome)
        {
            _core.FrameQueue.Pump();
        }

        return true;
    }

    /// <summary>Whether a page that is absent is to be claimed only with a frame at hand (F-6).</summary>
    private bool MustBringFrame(PageWaiter waiter, Slot* slot) =>
        waiter.ReservedFrame == 0
        && !waiter.IsInternal
        && _core.IsCrowded
        && IsAbsent(StateWord.Load(slot));

    /// <summary>Whether new leases are refused because mapping or cache are coming to their end.</summary>
    private bool IsGone => _state is MappingState.Closing or MappingState.Closed || Cache.IsDisposed;

    private static bool IsAbsent(ulong state) => (state & (StateWord.UpToDate | StateWord.Loading)) == 0;

    /// <summary>Why the acquisition cannot go on, or null.</summary>
    private Exception? Refusal(PageWaiter waiter)
    {
        if (waiter.IsCancelled)
        {
            return new OperationCanceledException(waiter.Token);
        }

        // Time is up only for one who has had to wait: what can be had at once is had, however late it has become.
        if (waiter.Outcome == WaitOutcome.Aborted)
        {
            return Throw.MakeLatchTimeout(this, waiter.Page);
        }

        if (waiter.IsInternal)
        {
            return null;
        }

        if (IsGone)
        {
            return Throw.MakeClosed(this);
        }

        if (waiter.Mode == WaitMode.Exclusive)
        {
            if (IsReadOnly)
            {
                return Throw.MakeReadOnly(this);
            }

            if (_state == MappingState.Failed)
            {
                return Throw.MakeMappingFailed(this);
            }
        }

        return !waiter.IsNew && waiter.Page >= PageCount ? Throw.MakeTruncated(this, waiter.Page) : null;
    }

    /// <summary>Takes a page that is resident (or being loaded), or stands in line. The list lock is held.</summary>
    private AcquireStep TakeOrJoin(PageWaiter waiter, Slot* slot)
    {
        BufferHead* head = HeadOf(slot);
        while (true)
        {
            if ((StateWord.Load(slot) & StateWord.UpToDate) != 0 && TryTake(slot, waiter.Mode, waiter))
            {
                if (waiter.IsLinked)
                {
                    Unlink(slot, head, waiter);
                }

                waiter.Slot = slot;
                return AcquireStep.Acquired;
            }

            if (!waiter.IsLinked)
            {
                Join(head, waiter);
                _core.Counters.Waited();
            }

            // From here on every release looks at the list. If the page came free before, it is seen now (W-1).
            ulong before = StateWord.Set(slot, StateWord.HasWaiters);
            if ((before & StateWord.HasWaiters) != 0 || !CouldTake(before, waiter.Mode))
            {
                waiter.Arm();
                return AcquireStep.Queued;
            }
        }
    }

    /// <summary>Takes an absent page to be loaded by the caller. The list lock is held, and left here.</summary>
    private AcquireStep Claim(PageWaiter waiter, Slot* slot, LeafHeader* leaf, PageLoad load, out Exception? error)
    {
        error = null;
        if (!TryClaimSlot(slot, waiter.Page, bits: 0))
        {
            StateWord.UnlockList(slot);
            _core.PageTables.Leave(leaf);

            // Pins on pages that were truncated away hold heads without frames, so heads may be short while frames are not.
            if (_core.Reclaimer.Evict(1) > 0)
            {
                return AcquireStep.Again;
            }

            return QueueForMetadata(waiter, FrameNeed.FrameAndMore);
        }

        // A truncation lowers the length first and looks for pages afterwards, and closing does likewise: one of
        // the two sees the other (M-3).
        Interlocked.MemoryBarrier();
        error = Refusal(waiter) ?? (MayBeLost(slot, waiter.Page) ? Throw.MakeLost(this, waiter.Page) : null);
        if (error is not null)
        {
            ReadyChain nobody = default;
            Unclaim(slot, ref nobody);
            return AcquireStep.Failed;
        }

        if (!MayComeIn(waiter.Page))
        {
            ReadyChain nobody = default;
            Unclaim(slot, ref nobody);
            return AcquireStep.Again;
        }

        BufferHead* head = HeadOf(slot);
        Debug.Assert(!waiter.IsLinked && head->Waiters == 0, "an absent page has no waiters (B-1)");
        Join(head, waiter);
        StateWord.Set(slot, StateWord.HasWaiters);
        waiter.Missed = true;
        waiter.Slot = slot;
        waiter.Arm();

        // All that the load needs is taken now: once the lock is free, the waiter may go its own way.
        load.Prepare(this, slot, waiter.Page, waiter, waiter.ReservedFrame);
        waiter.ReservedFrame = 0;
        StateWord.UnlockList(slot);
        if (load.IsNew)
        {
            _core.Counters.MadeNew();
        }
        else
        {
            _core.Counters.Miss();
        }

        return AcquireStep.Load;
    }

    /// <summary>
    /// Turns an absent page's slot to loading and gives it a head. The list lock is held; the visit to the leaf that the
    /// caller made becomes the head's if the head is new, and ends otherwise.
    /// </summary>
    /// <param name="slot">The page's slot.</param>
    /// <param name="page">The page.</param>
    /// <param name="bits">State bits that the page starts with; if none, what the policy says of a page that is wanted.</param>
    private bool TryClaimSlot(Slot* slot, long page, ulong bits)
    {
        ulong state = StateWord.Load(slot);
        Debug.Assert((state & (StateWord.UpToDate | StateWord.Loading | StateWord.SharedMask | StateWord.Exclusive)) == 0, "an absent page is not latched (B-1)");
        if ((state & StateWord.Attached) == 0)
        {
            uint head = _core.Heads.TryAllocate(slot, page, _number);
            if (head == 0)
            {
                return false;
            }

            ulong reference = bits != 0 ? bits : _core.Reclaimer.ReferenceAfterFault(shadow: slot->Head);
            slot->Head = head;
            StateWord.Set(slot, StateWord.Attached | StateWord.Loading | reference);
        }
        else
        {
            // The head stayed for the sake of a pin, but what it says is of the page that was truncated away.
            BufferHead* head = HeadOf(slot);
            head->Lsn = 0;
            head->PrivateWord = 0;
            head->RecoveryLsn = 0;
            StateWord.Set(slot, StateWord.Loading | bits);
            _core.PageTables.Leave(_core.PageTables.HeaderOf(slot));
        }

        return true;
    }
}
