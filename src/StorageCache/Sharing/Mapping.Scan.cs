using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.Mappings;
using StorageCache.Protection;
using StorageCache.Sharing;

namespace StorageCache;

/// <content>What the scan does with a page that is in memory.</content>
public sealed unsafe partial class Mapping
{
    /// <summary>
    /// Hashes a resident page, and gives it the frame of another with the same bytes, or has others find its own. Leaves the page alone
    /// if it is not clean, or has another frame or owner by now.
    /// </summary>
    internal void ShareByContent(MappingSharing sharing, long page, uint frame, uint owner)
    {
        if (!_core.Protection.Owners.TryProvide() || !_core.Sharing.ByContent.TryProvide())
        {
            _core.Protection.Counters.Refused(ProtectionRefusal.NoRoom);
            return;
        }

        Slot* slot = _table.Enter(page, create: false, out _);
        if (slot == null)
        {
            return;
        }

        if (TryKeepBytes(slot, frame, owner))
        {
            // With a second reference, a writer copies and leaves this frame as it is.
            FrameKey key = _core.Sharing.KeyOf(sharing, new ReadOnlySpan<byte>(AddressOf(frame), PageSize));
            uint equal = _core.Sharing.TryTakeEqual(key, frame);
            if (equal != 0)
            {
                if (!TryMove(slot, frame, owner, equal))
                {
                    _core.DropFrameQuietly(equal);
                }
            }
            else
            {
                LetOthersFind(slot, frame, owner, key);
            }

            _core.DropFrameQuietly(frame);
        }

        _core.PageTables.Leave(_core.PageTables.HeaderOf(slot));
    }

    /// <summary>Protects a clean page and adds a reference to its frame. False if the page is not clean, or a writer has it.</summary>
    private bool TryKeepBytes(Slot* slot, uint frame, uint owner)
    {
        ulong state = StateWord.LockList(slot);
        const ulong Unclean = StateWord.Dirty | StateWord.WriteBack;
        bool isKept = IsAs(slot, state, frame, owner) && (state & Unclean) == 0 && !IsGone && StateWord.TryProtect(slot);
        if (isKept)
        {
            _core.Frames.AddReference(frame);
        }
        else if ((state & Unclean) != 0)
        {
            _core.Protection.Counters.Refused((state & StateWord.Dirty) != 0 ? ProtectionRefusal.Dirty : ProtectionRefusal.UnderWriteBack);
        }

        StateWord.UnlockList(slot);
        return isKept;
    }

    /// <summary>
    /// Gives a page that nobody has latched another frame with the same bytes. The version moves. A page that is held stays where it is:
    /// who holds it hears of breaks from the frame that he holds (P-11), and to take the page away would free nothing.
    /// </summary>
    private bool TryMove(Slot* slot, uint frame, uint owner, uint equal)
    {
        ulong state = StateWord.LockList(slot);
        const ulong InUse = StateWord.Exclusive | StateWord.SharedMask | StateWord.Dirty | StateWord.WriteBack;
        bool isMoved = IsAs(slot, state, frame, owner)
            && (state & InUse) == 0
            && !FrameHolds.IsHeld(_core.Frames.Descriptor(frame))
            && StateWord.TryChange(slot, state, state | StateWord.Exclusive);
        if (isMoved)
        {
            isMoved = _core.Protection.Owners.TryMove(frame, equal, owner);
            if (isMoved)
            {
                slot->Frame = equal;
            }
            else
            {
                _core.Protection.Counters.Refused(ProtectionRefusal.NoRoom);
            }

            // Others find that it is latched, and come to the list lock.
            StateWord.UnlockExclusive(slot, out _);
        }

        StateWord.UnlockList(slot);
        if (isMoved)
        {
            _core.DropFrameQuietly(frame);
        }

        return isMoved;
    }

    private void LetOthersFind(Slot* slot, uint frame, uint owner, in FrameKey key)
    {
        ulong state = StateWord.LockList(slot);

        // It is protected still: that ends under the list lock, and only if nobody else has a reference (P-5).
        if (IsAs(slot, state, frame, owner) && (state & (StateWord.Protected | StateWord.Exclusive)) == StateWord.Protected)
        {
            _core.Sharing.ByContent.TryInsert(frame, key);
        }

        StateWord.UnlockList(slot);
    }

    private static bool IsAs(Slot* slot, ulong state, uint frame, uint owner) =>
        (state & StateWord.UpToDate) != 0 && slot->Frame == frame && slot->Head == owner;
}
