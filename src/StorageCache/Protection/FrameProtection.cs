using System.Diagnostics;
using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.Platform;

namespace StorageCache.Protection;

/// <summary>
/// Write protection: a protected frame's bytes stand still for as long as anybody relies on them, and a writer is not held
/// up: it breaks away onto a private copy. There is one break path, whoever protected the frame. Thread-safe.
/// </summary>
/// <remarks>
/// Goes back to the generic page write protection proposed for Linux in 2018. See <c>docs/protection.md</c>.
/// </remarks>
internal sealed unsafe class FrameProtection
{
    private readonly CacheCore _core;

    public FrameProtection(CacheCore core)
    {
        _core = core;
        Owners = new FrameOwners(core.Frames, core.Heads);
        LateDrops = new LateDrops(core);
    }

    /// <summary>Who owns which frame.</summary>
    public FrameOwners Owners { get; }

    /// <summary>What was protected, broken and refused.</summary>
    public ProtectionCounters Counters { get; } = new();

    /// <summary>References that are dropped by another thread.</summary>
    public LateDrops LateDrops { get; }

    /// <summary>Those who want to hear of breaks.</summary>
    public BreakWatchers Watchers { get; } = new();

    /// <summary>
    /// Holds the bytes of a page that is protected already, or about to be, and that no writer has: its list lock is held, and the state
    /// word says protected. Never waits for writers, and never makes one wait.
    /// </summary>
    /// <param name="slot">The page.</param>
    /// <param name="reason">Why; anything but <see cref="ProtectionReason.Sharing"/>, which shows in the owners.</param>
    /// <returns>
    /// The frame, with a reference that the caller drops after <see cref="Unprotect"/>; zero if as many hold it for that reason as can.
    /// </returns>
    public uint Hold(Slot* slot, ProtectionReason reason)
    {
        const ulong Needed = StateWord.ListLock | StateWord.UpToDate | StateWord.Protected;
        Debug.Assert((StateWord.Load(slot) & (Needed | StateWord.Exclusive)) == Needed, "protection is set under the list lock, on a page that no writer has (P-1)");
        uint frame = slot->Frame;
        if (!FrameHolds.TryAdd(_core.Frames.Descriptor(frame), reason))
        {
            return 0;
        }

        _core.Frames.AddReference(frame);
        return frame;
    }

    /// <summary>
    /// Ends a hold. The list lock of the page that was held is held. If a writer broke away meanwhile, the page has another frame by
    /// now and this one goes with its last reference, which the caller drops afterwards.
    /// </summary>
    /// <param name="slot">The page.</param>
    /// <param name="frame">The frame that was held.</param>
    /// <param name="reason">Why.</param>
    /// <param name="staysProtected">Whether the page stays protected in any case, so that its next writer copies as it would have before (SH-9).</param>
    public void Unprotect(Slot* slot, uint frame, ProtectionReason reason, bool staysProtected = false)
    {
        FrameDescriptor* descriptor = _core.Frames.Descriptor(frame);
        bool wasLast = FrameHolds.Remove(descriptor, reason);
        if (wasLast && !staysProtected && slot->Frame == frame && (StateWord.Load(slot) & StateWord.Protected) != 0 && IsOwnersAlone(descriptor, others: 1))
        {
            StateWord.Clear(slot, StateWord.Protected);
        }
    }

    /// <summary>
    /// Has the processor bring near what a writer of a protected page is about to look at. Nothing is locked: what the slot says may be
    /// out of date, and then the wrong lines come.
    /// </summary>
    public void Foresee(Slot* slot)
    {
        uint frame = slot->Frame;
        ProcessorCache.Fetch(_core.Frames.Descriptor(frame));
        ProcessorCache.Fetch(_core.Heads[slot->Head]);
        ProcessorCache.Fetch(_core.Frames.Address(frame));
    }

    /// <summary>
    /// Lets a writer have its frame without a copy, if nobody else relies on the bytes: takes the frame out of the indexes, so that
    /// nobody finds it any more, and looks who has found it before.
    /// </summary>
    /// <param name="slot">The page, exclusively latched by the caller.</param>
    /// <param name="alwaysCopy">Whether the writer is to copy in any case, so that the time it takes tells nothing (SH-9).</param>
    /// <returns>Whether the page is not protected any more.</returns>
    public bool TryLift(Slot* slot, bool alwaysCopy)
    {
        Debug.Assert((StateWord.Load(slot) & StateWord.Exclusive) != 0, "a page breaks away under its exclusive latch (P-3)");
        if (Volatile.Read(ref _core.Frames.Descriptor(slot->Frame)->OwnerCount) > 1)
        {
            // Should the others leave at this moment, a copy is made that was not needed.
            return false;
        }

        ulong state = StateWord.LockList(slot);
        bool isFree = (state & StateWord.Protected) == 0;
        if (!isFree && !alwaysCopy)
        {
            uint frame = slot->Frame;
            FrameDescriptor* descriptor = _core.Frames.Descriptor(frame);
            if (Volatile.Read(ref descriptor->OwnerCount) == 1)
            {
                _core.Frames.LeaveIndexes(frame);
                isFree = IsOwnersAlone(descriptor, others: 0);
            }
        }

        StateWord.UnlockList(slot, alsoClear: isFree ? StateWord.Protected : 0);
        if (isFree && (state & StateWord.Protected) != 0)
        {
            Counters.LiftedOne();
        }

        return isFree;
    }

    /// <summary>Whether <see cref="TryLift"/> would fail for a page: its list lock is held.</summary>
    public bool HasToBreak(Slot* slot, bool alwaysCopy)
    {
        if ((StateWord.Load(slot) & StateWord.Protected) == 0)
        {
            return false;
        }

        FrameDescriptor* descriptor = _core.Frames.Descriptor(slot->Frame);
        return alwaysCopy
            || Volatile.Read(ref descriptor->OwnerCount) != 1
            || FrameHolds.IsHeld(descriptor)
            || Volatile.Read(ref descriptor->References) != 1;
    }

    /// <summary>
    /// Moves an exclusively latched page from its protected frame to a private copy. Other owners, and those who hold the frame, keep
    /// the old one.
    /// </summary>
    /// <param name="slot">The page, exclusively latched by the caller.</param>
    /// <param name="copy">A frame with one reference, which becomes the page's.</param>
    /// <param name="evenly">Whether the time it takes is not to depend on whether others have the frame (SH-9).</param>
    /// <param name="released">The old frame; the caller drops the page's reference to it.</param>
    /// <returns>False, and nothing has changed, if the protection has ended meanwhile.</returns>
    public bool TryBreak(Slot* slot, uint copy, bool evenly, out uint released)
    {
        FramePool frames = _core.Frames;
        uint frame = slot->Frame;
        Debug.Assert((StateWord.Load(slot) & StateWord.Exclusive) != 0, "a page breaks away under its exclusive latch (P-3)");

        if (!evenly)
        {
            // What the ring's change touches comes near while the bytes are copied.
            BufferHead* head = _core.Heads[slot->Head];
            ProcessorCache.Fetch(_core.Heads[Volatile.Read(ref head->OwnerNext)]);
            ProcessorCache.Fetch(_core.Heads[Volatile.Read(ref head->OwnerPrevious)]);
        }

        // The bytes stand still: they are protected, and the only one who could write them is here.
        Buffer.MemoryCopy(frames.Address(frame), frames.Address(copy), frames.PageSize, frames.PageSize);
        ulong state = StateWord.LockList(slot);
        released = 0;
        if ((state & StateWord.Protected) != 0)
        {
            FrameDescriptor* descriptor = frames.Descriptor(frame);
            Counters.Broke(FrameHolds.ReasonOf(descriptor));
            if (evenly)
            {
                Owners.DetachEvenly(frame, slot->Head);
            }
            else
            {
                Owners.Detach(frame, slot->Head);
            }

            bool isAttached = Owners.TryAttach(copy, slot->Head);
            Debug.Assert(isAttached, "a copy is the writer's alone (P-3)");
            slot->Frame = copy;
            released = frame;
        }

        StateWord.UnlockList(slot, alsoClear: StateWord.Protected);
        if (released != 0)
        {
            // By name: a hold outlives its page, whose slot and head may be another page's by now, and that may have its frame.
            BufferHead* head = _core.Heads[slot->Head];
            Watchers.Broke(released, _core.MappingAt(head->Mapping), head->Page);
        }

        return released != 0;
    }

    /// <summary>
    /// Whether a frame has one owner, whose list lock the caller holds, and nobody else relies on its bytes or can come to: other owners
    /// and holds have references. Only the owner's page can put it into an index again, under that lock.
    /// </summary>
    /// <param name="descriptor">The frame.</param>
    /// <param name="others">References that the caller answers for, beside the owner's.</param>
    private static bool IsOwnersAlone(FrameDescriptor* descriptor, int others) => FramePool.IsAloneWith(descriptor, 1 + others);
}
