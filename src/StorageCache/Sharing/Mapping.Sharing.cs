using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.Mappings;
using StorageCache.Sharing;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>
/// Pages that have a frame together with others. A page that is missing is looked for among those of other files that have the same
/// place on the device; one that has been read, among those that have the same bytes.
/// </content>
public sealed unsafe partial class Mapping
{
    /// <summary>What the mapping shares; null for nothing.</summary>
    internal MappingSharing? Sharing { get; }

    /// <summary>
    /// Ends a claim without a read, if another file's page with the same bytes is in memory. The caller goes on to load the page
    /// otherwise.
    /// </summary>
    /// <param name="slot">The page, claimed by the caller and nobody's else.</param>
    /// <param name="page">Its number.</param>
    /// <param name="ready">Takes those who waited for it.</param>
    internal bool TryFinishByExtent(Slot* slot, long page, ref ReadyChain ready)
    {
        if (Sharing?.Extents is not { } extents)
        {
            return false;
        }

        uint frame = TryTakeByExtent(extents, page);
        if (frame == 0)
        {
            return false;
        }

        StateWord.LockList(slot);
        bool isCurrent = TryBecomeCurrent(slot, frame, StateWord.Protected);
        if (isCurrent)
        {
            Grant(slot, ref ready);
        }

        StateWord.UnlockList(slot);
        if (isCurrent)
        {
            _core.Sharing.AvoidedRead();
        }
        else
        {
            _core.Protection.Counters.Refused(ProtectionRefusal.NoRoom);
            _core.DropFrameQuietly(frame);
        }

        return isCurrent;
    }

    /// <summary>As <see cref="FinishPage"/>, for a page that may have a frame together with others.</summary>
    private bool FinishShareable(MappingSharing sharing, Slot* slot, long page, uint frame, bool isWhole, ref ReadyChain ready)
    {
        PageKeys keys = KeysOf(sharing, isWhole ? page : long.MaxValue, frame);
        uint equal = TryTakeEqual(keys, frame);
        ProvideForIndex(keys);
        StateWord.LockList(slot);
        bool isShared = equal != 0 && TryBecomeCurrent(slot, equal, StateWord.Protected);
        if (!isShared)
        {
            // Protected before anybody can find it (P-5).
            BecomeCurrent(slot, frame, keys.Any || sharing.IsHardened ? StateWord.Protected : 0);
            Index(frame, keys);
        }

        Grant(slot, ref ready);
        StateWord.UnlockList(slot);
        if (equal != 0 && !isShared)
        {
            _core.DropFrameQuietly(equal);
        }

        return isShared && _core.Frames.DropReference(frame);
    }

    /// <summary>What a page of which the device has brought all bytes can be found by. No lock is held.</summary>
    private PageKeys KeysOf(MappingSharing sharing, long page, uint frame)
    {
        FrameKey extent = default;
        bool hasExtent = false;
        if (sharing.Extents is { } extents && extents.TryFind(page, out ExtentIdentity identity, out long offset))
        {
            extent = ExtentMap.KeyOf(identity, offset);
            hasExtent = true;
        }

        FrameKey content = sharing.SharesContent ? _core.Sharing.KeyOf(sharing, new ReadOnlySpan<byte>(AddressOf(frame), PageSize)) : default;
        return new PageKeys(extent, hasExtent, content, sharing.SharesContent);
    }

    /// <summary>
    /// A frame with the bytes of one that has been read, and a reference to it; zero if there is none: another file's page with the same
    /// place may have been read at the same time, and any page of the domain may have the same bytes. No lock is held.
    /// </summary>
    private uint TryTakeEqual(in PageKeys keys, uint frame)
    {
        if (!keys.Any || !_core.Protection.Owners.TryProvide())
        {
            return 0;
        }

        uint found = keys.HasExtent ? _core.Sharing.ByExtent.TryTake(keys.Extent) : 0;
        return found == 0 && keys.HasContent ? _core.Sharing.TryTakeEqual(keys.Content, frame) : found;
    }

    /// <summary>
    /// Lets others find the frame of a page that is protected. The list lock is held; its room has been provided before.
    /// </summary>
    private void Index(uint frame, in PageKeys keys)
    {
        if (keys.HasExtent)
        {
            _core.Sharing.ByExtent.TryInsert(frame, keys.Extent);
        }

        if (keys.HasContent)
        {
            _core.Sharing.ByContent.TryInsert(frame, keys.Content);
        }
    }

    /// <summary>Sees that there is room to index some frames. No lock is held.</summary>
    private void ProvideForIndex(in PageKeys keys)
    {
        if ((keys.HasExtent && !_core.Sharing.ByExtent.TryProvide()) || (keys.HasContent && !_core.Sharing.ByContent.TryProvide()))
        {
            _core.Protection.Counters.Refused(ProtectionRefusal.NoRoom);
        }
    }

    private uint TryTakeByExtent(ExtentMap extents, long page)
    {
        if (!extents.TryFind(page, out ExtentIdentity identity, out long offset) || (page + 1) << _pageShift > ContentLength)
        {
            return 0;
        }

        if (!_core.Protection.Owners.TryProvide() || !_core.Sharing.ByExtent.TryProvide())
        {
            _core.Protection.Counters.Refused(ProtectionRefusal.NoRoom);
            return 0;
        }

        FrameKey key = ExtentMap.KeyOf(identity, offset);
        uint frame = _core.Sharing.ByExtent.TryTake(key);
        return frame == 0 && identity.Origin is { } origin && origin != this
            ? origin.TryLend(identity.OriginFirstPage + offset, identity, offset, key)
            : frame;
    }

    /// <summary>
    /// Lets another file's page have the frame of a page that was in memory before the two were found to be the same, and lets others
    /// find it. Returns the frame with a reference, or zero: not in memory, or changed since, or on its way to be.
    /// </summary>
    private uint TryLend(long page, ExtentIdentity identity, long offset, in FrameKey key)
    {
        Slot* slot = _table.Enter(page, create: false, out _);
        if (slot == null)
        {
            return 0;
        }

        uint frame = 0;
        ulong state = StateWord.LockList(slot);
        if ((state & StateWord.UpToDate) != 0)
        {
            ProtectionRefusal refusal = RefusalToLend(slot, page, identity, offset);
            if (refusal == ProtectionRefusal.None)
            {
                frame = slot->Frame;
                _core.Frames.AddReference(frame);
                _core.Sharing.ByExtent.TryInsert(frame, key);
            }
            else
            {
                _core.Protection.Counters.Refused(refusal);
            }
        }

        StateWord.UnlockList(slot);
        _core.PageTables.Leave(_core.PageTables.HeaderOf(slot));
        return frame;
    }

    /// <summary>Protects a resident page for another owner, or says why not. The list lock is held.</summary>
    private ProtectionRefusal RefusalToLend(Slot* slot, long page, ExtentIdentity identity, long offset)
    {
        if (IsGone)
        {
            return ProtectionRefusal.Closing;
        }

        if (!StateWord.TryProtectPristine(slot))
        {
            ulong state = StateWord.Load(slot);
            return (state & StateWord.Dirty) != 0 ? ProtectionRefusal.Dirty
                : (state & StateWord.WriteBack) != 0 ? ProtectionRefusal.UnderWriteBack
                : ProtectionRefusal.ExclusivelyLatched;
        }

        // After it was protected: whoever has written the page has marked it before he let it go (SH-2).
        return Sharing?.Extents?.Has(page, identity, offset) == true ? ProtectionRefusal.None : ProtectionRefusal.Dirty;
    }
}
