using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace StorageCache.Buffers;

/// <summary>
/// The vocabulary of the state word: every bit of it, and every verb that changes one. Nothing else touches the bits.
/// </summary>
/// <remarks>
/// <code>
///  63     32 31    30      29         28   27       26..25    24        23          22     21        20         19    18         17      16        15..0
/// [ version | spare touched prefetched mark attached reference list-lock has-waiters pinned protected write-back dirty up-to-date loading exclusive shared count ]
/// </code>
/// The version moves whenever the content or the frame may have changed: at the end of a load, at the release of an
/// exclusive latch, at eviction and truncation (B-2). It wraps after 2^32 changes; an optimistic read would have to
/// sleep through exactly that many to be fooled.
/// </remarks>
internal static unsafe class StateWord
{
    /// <summary>Bits 0-15: how many shared leases are held. The two highest say that the count is full, or was taken below zero.</summary>
    public const ulong SharedMask = 0xFFFF;

    /// <summary>The most shared leases a page can have at once; a further reader waits. One bit, so that one test refuses it (B-10).</summary>
    public const ulong SharedMax = 1 << 14;

    /// <summary>The page is exclusively latched.</summary>
    public const ulong Exclusive = 1UL << 16;

    /// <summary>The page is being brought in; it has a head, and a frame soon.</summary>
    public const ulong Loading = 1UL << 17;

    /// <summary>The frame holds the page's current bytes.</summary>
    public const ulong UpToDate = 1UL << 18;

    /// <summary>The frame is newer than the device.</summary>
    public const ulong Dirty = 1UL << 19;

    /// <summary>A write of this page is in flight.</summary>
    public const ulong WriteBack = 1UL << 20;

    /// <summary>The frame's bytes must not change: a writer breaks away first.</summary>
    public const ulong Protected = 1UL << 21;

    /// <summary>The head's pin count may be above zero. Set by the first pin, and stays for as long as the page does.</summary>
    public const ulong Pinned = 1UL << 22;

    /// <summary>The head's wait list is not empty.</summary>
    public const ulong HasWaiters = 1UL << 23;

    /// <summary>A spin lock over the head's wait list and over changes of the slot's frame and head.</summary>
    public const ulong ListLock = 1UL << 24;

    /// <summary>Referenced since the clock hand last passed.</summary>
    public const ulong Referenced = 1UL << 25;

    /// <summary>Referenced in an earlier round of the clock, or soon after it had been evicted.</summary>
    public const ulong Hot = 1UL << 26;

    /// <summary>Read ahead of use, and not seen in use by the clock hand since: its first use is no second one.</summary>
    public const ulong Prefetched = 1UL << 29;

    /// <summary>
    /// The page has been exclusively latched since its bytes were last read from the device or sent there: they may differ from it,
    /// whether or not it has been called dirty (SH-3).
    /// </summary>
    public const ulong Touched = 1UL << 30;

    /// <summary>All that the replacement policy decides on.</summary>
    public const ulong ReferenceMask = Referenced | Hot | Prefetched;

    /// <summary><see cref="Slot.Head"/> is the index of a buffer head (and not a shadow entry).</summary>
    public const ulong Attached = 1UL << 27;

    /// <summary>
    /// The read-ahead mark: whoever comes to the page takes it off, and has the next window read. It refuses a latch or pin at first
    /// try as a waiter does, so that pages without it, which is all that are hit twice, pay nothing for it (RA-1).
    /// </summary>
    public const ulong ReadAheadMark = 1UL << 28;

    /// <summary>What one who wants to write takes.</summary>
    public const ulong ExclusivelyTaken = Exclusive | Touched;

    /// <summary>One step of the version.</summary>
    public const ulong VersionOne = 1UL << 32;

    /// <summary>Bits 32-63.</summary>
    public const ulong VersionMask = 0xFFFF_FFFF_0000_0000;

    /// <summary>Set in the count only by a release of a latch that nobody held.</summary>
    private const ulong SharedUnderflow = 1 << 15;

    private const ulong ReadRefused = Exclusive | HasWaiters | ReadAheadMark | SharedMax;
    private const ulong UpgradeRefused = Exclusive | HasWaiters | Protected | SharedMask;
    private const ulong WriteRefused = UpgradeRefused | ReadAheadMark;

    /// <summary>Reads the word with acquire semantics: what is read after it is not older.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Load(Slot* slot) => Volatile.Read(ref slot->State);

    /// <summary>Takes a shared latch if nobody holds or awaits the page; one interlocked operation.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryLockShared(Slot* slot)
    {
        ulong state = Load(slot);
        while ((state & (ReadRefused | UpToDate)) == UpToDate)
        {
            ulong seen = Interlocked.CompareExchange(ref slot->State, (state + 1) | Referenced, state);
            if (seen == state)
            {
                return true;
            }

            state = seen;
        }

        return false;
    }

    /// <summary>Takes the exclusive latch of an unprotected page if nobody holds or awaits it; one interlocked operation.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryLockExclusive(Slot* slot)
    {
        ulong state = Load(slot);
        while ((state & (WriteRefused | UpToDate)) == UpToDate)
        {
            ulong seen = Interlocked.CompareExchange(ref slot->State, state | ExclusivelyTaken | Referenced, state);
            if (seen == state)
            {
                return true;
            }

            state = seen;
        }

        return false;
    }

    /// <summary>Takes the exclusive latch only if the page is as it was when <paramref name="expected"/> was read.</summary>
    public static bool TryLockExclusiveIfUnchanged(Slot* slot, ulong expected)
    {
        ulong state = Load(slot);
        while (IsUnchanged(expected, state) && (state & UpgradeRefused) == 0)
        {
            ulong seen = Interlocked.CompareExchange(ref slot->State, state | ExclusivelyTaken | Referenced, state);
            if (seen == state)
            {
                return true;
            }

            state = seen;
        }

        return false;
    }

    /// <summary>Gives a shared latch back. Returns whether <see cref="NeedsWake"/> is to be asked about the word afterwards.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool UnlockShared(Slot* slot, out ulong state)
    {
        state = Interlocked.Decrement(ref slot->State);
        return (state & (HasWaiters | SharedUnderflow)) != 0;
    }

    /// <summary>Gives the exclusive latch back and moves the version. Returns whether <see cref="NeedsWake"/> is to be asked about the word afterwards.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool UnlockExclusive(Slot* slot, out ulong state)
    {
        state = Interlocked.Add(ref slot->State, VersionOne - Exclusive);
        return (state & (HasWaiters | Exclusive)) != 0;
    }

    /// <summary>Turns the exclusive latch into a shared one and moves the version. Returns the word as it is afterwards.</summary>
    public static ulong Downgrade(Slot* slot)
    {
        ulong state = Interlocked.Add(ref slot->State, VersionOne - Exclusive + 1);

        // Taking away a latch that is not held leaves its bit set, by the borrow from the bits above.
        if ((state & (SharedMask | Exclusive)) != 1)
        {
            EndProcess();
        }

        return state;
    }

    /// <summary>
    /// Whether the release that left <paramref name="state"/> behind has to look at the wait list. Ends the process if it
    /// released what was not held.
    /// </summary>
    public static bool NeedsWake(ulong state)
    {
        ulong shared = state & SharedMask;
        if ((state & (SharedUnderflow | Exclusive)) != 0)
        {
            EndProcess();
        }

        return (state & HasWaiters) != 0 && (shared == 0 || shared == SharedMax - 1);
    }

    /// <summary>Whether a page in this state may be read without a latch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsReadable(ulong state) => (state & (UpToDate | Exclusive)) == UpToDate;

    /// <summary>Whether a look-up may hand the page out to be read without a latch, and has nothing else to do about it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsReadableAtOnce(ulong state) => (state & (UpToDate | Exclusive | ReadAheadMark)) == UpToDate;

    /// <summary>Whether what was read between the two states is what the page held throughout.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsUnchanged(ulong before, ulong after)
    {
        Debug.Assert(IsReadable(before), "an optimistic read begins with a page that nobody is changing (B-2)");
        return ((before ^ after) & (VersionMask | UpToDate | Exclusive)) == 0;
    }

    /// <summary>Marks the page referenced, once per round of the clock: later calls find the bit and write nothing.</summary>
    public static void Reference(Slot* slot, ulong state)
    {
        Debug.Assert((state & UpToDate) != 0, "only a page that was up to date is referenced");
        Interlocked.CompareExchange(ref slot->State, state | Referenced, state);
    }

    /// <summary>
    /// Sees that the pinned bit of a page that is up to date and unmarked, and whose list lock is free, is set. Returns the word with
    /// it, or 0 where that cannot be had at once.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong TrySetPinned(Slot* slot)
    {
        const ulong Wanted = UpToDate | Pinned | Referenced;
        ulong state = Load(slot);
        return (state & (Wanted | ListLock | ReadAheadMark)) == Wanted ? state : TrySetPinned(slot, state);
    }

    /// <summary>
    /// The index of the page's head, if that is what <see cref="Slot.Head"/> holds since <see cref="TrySetPinned(Slot*)"/>
    /// returned <paramref name="pinned"/>; else 0. Whoever takes the page away puts the shadow entry there before the version
    /// moves, but after it has the list lock, and frees the lock in the same step that moves the version (B-11).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint HeadIfStillPinned(Slot* slot, ulong pinned)
    {
        // The index is read before the state is read again.
        uint index = Volatile.Read(ref slot->Head);
        return IsStillPinned(slot, pinned) ? index : 0;
    }

    /// <summary>Whether a pin that was counted since <see cref="TrySetPinned(Slot*)"/> returned <paramref name="pinned"/> holds the page (B-6, B-11).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsStillPinned(Slot* slot, ulong pinned) =>
        ((Load(slot) ^ pinned) & (VersionMask | UpToDate | Pinned | ListLock)) == 0;

    /// <summary>Sets bits; returns the word as it was before.</summary>
    public static ulong Set(Slot* slot, ulong bits) => Interlocked.Or(ref slot->State, bits);

    /// <summary>Clears bits; returns the word as it was before.</summary>
    public static ulong Clear(Slot* slot, ulong bits) => Interlocked.And(ref slot->State, ~bits);

    /// <summary>Takes the read-ahead mark off. Returns whether it was there; of several who come at once, one sees it.</summary>
    public static bool TakeMark(Slot* slot) => (Load(slot) & ReadAheadMark) != 0 && (Clear(slot, ReadAheadMark) & ReadAheadMark) != 0;

    /// <summary>Replaces the word if it is still <paramref name="expected"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryChange(Slot* slot, ulong expected, ulong desired) =>
        Interlocked.CompareExchange(ref slot->State, desired, expected) == expected;

    /// <summary>
    /// Takes the list lock. The caller holds the slot's leaf (PT-4), so the lock is never taken on memory that is about
    /// to become somebody else's. Returns the word including the lock bit.
    /// </summary>
    public static ulong LockList(Slot* slot)
    {
        SpinWait spin = default;
        while (true)
        {
            ulong state = Load(slot);
            if ((state & ListLock) == 0 && TryChange(slot, state, state | ListLock))
            {
                return state | ListLock;
            }

            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <summary>
    /// Begins write-back of a dirty page: clean, untouched, under write-back and protected in one step, so that no writer comes
    /// in between. Fails if the page is not dirty, exclusively latched, or under write-back already. The list lock is held.
    /// </summary>
    public static bool TryBeginWriteBack(Slot* slot)
    {
        while (true)
        {
            ulong state = Load(slot);
            if (!CanBeginWriteBack(state))
            {
                return false;
            }

            if (TryBeginWriteBack(slot, state))
            {
                return true;
            }
        }
    }

    /// <summary>Whether a page is dirty, and neither exclusively latched nor under write-back already.</summary>
    public static bool CanBeginWriteBack(ulong state) => (state & (UpToDate | Dirty | WriteBack | Exclusive)) == (UpToDate | Dirty);

    /// <summary>
    /// As <see cref="TryBeginWriteBack(Slot*)"/>, if the word is what it was: no writer has come and gone since it was read, for that moves
    /// the version. Fails otherwise, and may fail for less.
    /// </summary>
    public static bool TryBeginWriteBack(Slot* slot, ulong state) =>
        TryChange(slot, state, (state & ~(Dirty | Touched)) | WriteBack | Protected);

    /// <summary>
    /// Protects a page whose bytes are what the device holds: up to date, clean, not touched and not under write-back. Fails
    /// otherwise, or if a writer has it. The list lock is held.
    /// </summary>
    public static bool TryProtectPristine(Slot* slot)
    {
        const ulong Refused = Exclusive | Dirty | WriteBack | Touched;
        while (true)
        {
            ulong state = Load(slot);
            if ((state & (UpToDate | Refused)) != UpToDate)
            {
                return false;
            }

            if ((state & Protected) != 0 || TryChange(slot, state, state | Protected))
            {
                return true;
            }
        }
    }

    /// <summary>Protects a page that is up to date, dirty or not. Fails if it is not, or a writer has it. The list lock is held.</summary>
    public static bool TryProtect(Slot* slot)
    {
        while (true)
        {
            ulong state = Load(slot);
            if ((state & (UpToDate | Exclusive)) != UpToDate)
            {
                return false;
            }

            if ((state & Protected) != 0 || TryChange(slot, state, state | Protected))
            {
                return true;
            }
        }
    }

    /// <summary>
    /// Writes the whole word, and so frees every lock in it. The caller has the list lock and is the only one who may
    /// change anything: the page is absent or exclusively latched by the caller.
    /// </summary>
    public static void Replace(Slot* slot, ulong state) => Volatile.Write(ref slot->State, state);

    /// <summary>Frees the list lock, clearing other bits in the same step.</summary>
    public static void UnlockList(Slot* slot, ulong alsoClear = 0)
    {
        ulong before = Interlocked.And(ref slot->State, ~(ListLock | alsoClear));
        Debug.Assert((before & ListLock) != 0, "the list lock was held");
    }

    /// <summary>Whether an evictor may take the page: clean, unlatched, nobody at its list. Whether its frame is held, the frame says.</summary>
    public static bool IsEvictable(ulong state) =>
        (state & (UpToDate | Exclusive | Loading | Dirty | WriteBack | ListLock | SharedMask)) == UpToDate;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ulong TrySetPinned(Slot* slot, ulong state)
    {
        ulong pinned = state | Pinned | Referenced;
        return (state & (UpToDate | ListLock | ReadAheadMark)) == UpToDate && TryChange(slot, state, pinned) ? pinned : 0;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void EndProcess() =>
        Environment.FailFast("StorageCache: a page lease was returned that is not held (a copy of a lease was disposed twice); the latch state is corrupt.");
}
