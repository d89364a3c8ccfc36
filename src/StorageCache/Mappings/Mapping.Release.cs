using System.Diagnostics;
using System.Runtime.CompilerServices;
using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>Giving latches and pins back, and waking those who wait for this buffer and no other.</content>
public sealed unsafe partial class Mapping
{
    /// <summary>Returns a shared latch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void ReleaseShared(Slot* slot)
    {
        if (StateWord.UnlockShared(slot, out ulong state))
        {
            WakeIfNeeded(slot, state);
        }
    }

    /// <summary>Returns the exclusive latch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void ReleaseExclusive(Slot* slot)
    {
        if (StateWord.UnlockExclusive(slot, out ulong state))
        {
            WakeIfNeeded(slot, state);
        }
    }

    /// <summary>Turns the exclusive latch into a shared one.</summary>
    internal void Downgrade(Slot* slot)
    {
        ulong state = StateWord.Downgrade(slot);
        if ((state & StateWord.HasWaiters) != 0)
        {
            Wake(slot);
        }
    }

    /// <summary>Returns a pin. The last pin of a page that was truncated away takes its head along.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void ReleasePin(Slot* slot)
    {
        if (DropPin(HeadOf(slot)) && (StateWord.Load(slot) & (StateWord.UpToDate | StateWord.Loading)) == 0)
        {
            // If the head is still there, so is the leaf, and the number is right. If somebody else has taken it along,
            // this may be another page's number, and looking there does no harm.
            DetachIfEmpty(PageOf(slot));
        }
    }

    /// <summary>Takes a pin from a head. Returns whether it was the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool DropPin(BufferHead* head)
    {
        int pins = Interlocked.Decrement(ref head->Pins);
        _hits.Pin(-1);
        if (pins > 0)
        {
            return false;
        }

        if (pins < 0)
        {
            EndProcessForPin();
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void EndProcessForPin() =>
        Environment.FailFast("StorageCache: a pin was returned that is not held (a copy of a pin was disposed twice); the pin count is corrupt.");

    /// <summary>Returns what was granted to a waiter.</summary>
    private void ReleaseGrant(PageWaiter waiter)
    {
        switch (waiter.Mode)
        {
            case WaitMode.Shared:
                ReleaseShared(waiter.Slot);
                break;
            case WaitMode.Exclusive when waiter.Made is { } load:
                ForsakeMade(waiter, load);
                break;
            case WaitMode.Exclusive:
                ReleaseExclusive(waiter.Slot);
                break;
            default:
                ReleasePin(waiter.Slot);
                break;
        }
    }

    /// <summary>What a release does that found more in the word than it took out.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void WakeIfNeeded(Slot* slot, ulong state)
    {
        if (StateWord.NeedsWake(state))
        {
            Wake(slot);
        }
    }

    /// <summary>Hands a buffer that was just released to those who wait for it.</summary>
    private void Wake(Slot* slot)
    {
        // The latch is gone, and the leaf with it perhaps, and so this may be another page's number. In that case the
        // waiters were sent on their way when the page left, and waking a wrong page does no harm.
        long page = PageOf(slot);

        // A look-up that raced the reclaim of a leaf may have latched, for a moment, a page of the mapping that has the
        // leaf now. Whoever came to wait meanwhile waits there (W-1).
        int number = _core.PageTables.HeaderOf(slot)->Mapping;
        Mapping? owner = number == _number ? this : _core.MappingAt(number);
        owner?.WakePage(page);
    }

    private void WakePage(long page)
    {
        Slot* entered = _table.Enter(page, create: false, out _);
        if (entered == null)
        {
            return;
        }

        ReadyChain ready = default;
        StateWord.LockList(entered);
        Grant(entered, ref ready);
        StateWord.UnlockList(entered);
        _core.PageTables.Leave(_core.PageTables.HeaderOf(entered));
        ready.Dispatch();
    }

    /// <summary>
    /// Gives the page to waiters: first to all who want a pin, wherever they stand, for pins wait for no latch; then in their
    /// order to all readers at the front together, or to one writer. A writer that has not been passed too often is only told
    /// that the page is free and takes it when it runs (so that a thread which releases and takes again is not stopped for
    /// one that still sleeps); one that has, gets the latch handed over. The list lock is held.
    /// </summary>
    private void Grant(Slot* slot, ref ReadyChain ready)
    {
        ulong state = StateWord.Load(slot);
        if ((state & (StateWord.HasWaiters | StateWord.UpToDate)) != (StateWord.HasWaiters | StateWord.UpToDate))
        {
            return;
        }

        BufferHead* head = HeadOf(slot);
        int examined = head->PinsWait == 0 ? 0 : GrantPins(slot, head, ref ready);
        PageWaiter? waiter = FirstWaiter(head);
        while (waiter is not null)
        {
            var next = (PageWaiter?)waiter.Next;
            if (!CouldTake(StateWord.Load(slot), waiter.Mode))
            {
                break;
            }

            examined++;
            if (waiter.Mode == WaitMode.Exclusive)
            {
                GrantExclusive(slot, head, waiter, ref ready);
                break;
            }

            TryGrant(slot, head, waiter, ref ready);
            waiter = next;
        }

        if (examined > 0)
        {
            _core.Counters.Woke(examined);
        }
    }

    /// <summary>
    /// Pins the page for all who wait for that: once, when its load has ended, for later pins do not wait. Returns how many
    /// waiters it looked at.
    /// </summary>
    private int GrantPins(Slot* slot, BufferHead* head, ref ReadyChain ready)
    {
        head->PinsWait = 0;
        int examined = 0;
        PageWaiter? waiter = FirstWaiter(head);
        while (waiter is not null)
        {
            var next = (PageWaiter?)waiter.Next;
            examined++;
            if (waiter.Mode == WaitMode.Pin)
            {
                TryGrant(slot, head, waiter, ref ready);
            }

            waiter = next;
        }

        return examined;
    }

    private void TryGrant(Slot* slot, BufferHead* head, PageWaiter waiter, ref ReadyChain ready)
    {
        // One that has been resumed otherwise takes itself out of the list.
        if (waiter.TryResume(WaitOutcome.Granted))
        {
            waiter.Slot = slot;
            TakeGranted(slot, waiter.Mode);
            Unlink(slot, head, waiter);
            ready.Add(waiter);
        }
    }

    private void GrantExclusive(Slot* slot, BufferHead* head, PageWaiter waiter, ref ReadyChain ready)
    {
        if (waiter.Steals < _stealLimit)
        {
            // It keeps its place until it has taken the latch.
            if (waiter.TryResume(WaitOutcome.Retry))
            {
                ready.Add(waiter);
            }
        }
        else
        {
            TryGrant(slot, head, waiter, ref ready);
        }
    }

    /// <summary>Counts a pin on a head that cannot go away meanwhile.</summary>
    private void AddPin(BufferHead* head)
    {
        Interlocked.Increment(ref head->Pins);
        _hits.Pin(+1);
    }

    /// <summary>
    /// Takes a page that is free for the mode; with the list lock held and waiters present nobody else can. The access that brings
    /// a page in does not count as a use of it; one that waited for a page that was read ahead did not bring it in, and counts.
    /// </summary>
    private void TakeGranted(Slot* slot, WaitMode mode)
    {
        if (mode == WaitMode.Pin)
        {
            AddPin(HeadOf(slot));
            StateWord.Set(slot, StateWord.Pinned | UseOfPrefetched(StateWord.Load(slot)));
            return;
        }

        while (true)
        {
            ulong state = StateWord.Load(slot);
            Debug.Assert(CouldTake(state, mode), "a page with waiters is taken under the list lock only (W-6)");
            ulong taken = mode == WaitMode.Shared ? state + 1 : state | StateWord.ExclusivelyTaken;
            if (StateWord.TryChange(slot, state, taken | UseOfPrefetched(state)))
            {
                return;
            }
        }
    }

    private static ulong UseOfPrefetched(ulong state) => (state & StateWord.Prefetched) != 0 ? StateWord.Referenced : 0;

    /// <summary>
    /// Takes a resident page if it is free for the mode, past the first waiter if that has not been passed too often. The
    /// list lock is held.
    /// </summary>
    private bool TryTake(Slot* slot, WaitMode mode, PageWaiter? self)
    {
        BufferHead* head = HeadOf(slot);
        if (mode == WaitMode.Pin)
        {
            AddPin(head);
            StateWord.Set(slot, StateWord.Pinned | StateWord.Referenced);
            return true;
        }

        // A head that nobody waits at is not looked at: it is far away as a rule.
        PageWaiter? first = (StateWord.Load(slot) & StateWord.HasWaiters) != 0 ? FirstWaiter(head) : null;
        Debug.Assert(first is not null || head->Waiters == 0, "a page that is waited for says so (W-1)");
        bool steals = first is not null && !ReferenceEquals(first, self);
        if (steals && first!.Steals >= _stealLimit)
        {
            return false;
        }

        while (true)
        {
            ulong state = StateWord.Load(slot);
            if (!CouldTake(state, mode))
            {
                return false;
            }

            ulong taken = (mode == WaitMode.Shared ? state + 1 : state | StateWord.ExclusivelyTaken) | StateWord.Referenced;
            if (StateWord.TryChange(slot, state, taken))
            {
                break;
            }
        }

        if (steals)
        {
            first!.Steals++;
            _core.Counters.Stole();
        }

        return true;
    }

    private static bool CouldTake(ulong state, WaitMode mode) => (state & StateWord.UpToDate) != 0 && mode switch
    {
        WaitMode.Shared => (state & (StateWord.Exclusive | StateWord.SharedMax)) == 0,
        WaitMode.Exclusive => (state & (StateWord.Exclusive | StateWord.SharedMask)) == 0,
        _ => true,
    };

    /// <summary>Takes a waiter that gives up out of whatever queue it stands in, and lets the next one have its turn.</summary>
    private void Withdraw(PageWaiter waiter)
    {
        _core.FrameQueue.Remove(waiter);
        Slot* slot = _table.Enter(waiter.Page, create: false, out _);
        if (slot == null)
        {
            // No leaf, no head, no list.
            return;
        }

        ReadyChain ready = default;
        StateWord.LockList(slot);
        if (waiter.IsLinked)
        {
            Unlink(slot, HeadOf(slot), waiter);
            Grant(slot, ref ready);
        }

        StateWord.UnlockList(slot);
        _core.PageTables.Leave(_core.PageTables.HeaderOf(slot));
        ready.Dispatch();
    }

    /// <summary>Sends every waiter of a page that is leaving to try again from the start. The list lock is held.</summary>
    private void DetachWaiters(Slot* slot, ref ReadyChain ready)
    {
        BufferHead* head = HeadOf(slot);
        PageWaiter? waiter = FirstWaiter(head);
        while (waiter is not null)
        {
            var next = (PageWaiter?)waiter.Next;
            Unlink(slot, head, waiter);
            if (waiter.TryResume(WaitOutcome.Retry))
            {
                ready.Add(waiter);
            }

            waiter = next;
        }
    }

    /// <summary>Puts a waiter at the end of a buffer's list. The list lock is held.</summary>
    private void Join(BufferHead* head, PageWaiter waiter)
    {
        WaitList.AddLast(ref head->Waiters, FirstWaiter(head), waiter);
        if (waiter.Mode == WaitMode.Pin)
        {
            head->PinsWait = 1;
        }
    }

    /// <summary>The first waiter of a buffer, or null. The list lock is held.</summary>
    private PageWaiter? FirstWaiter(BufferHead* head) => head->Waiters == 0 ? null : _core.Waiters[head->Waiters];

    private void Unlink(Slot* slot, BufferHead* head, PageWaiter waiter)
    {
        WaitList.Remove(ref head->Waiters, FirstWaiter(head)!, waiter);
        if (head->Waiters == 0)
        {
            StateWord.Clear(slot, StateWord.HasWaiters);
        }
    }
}
