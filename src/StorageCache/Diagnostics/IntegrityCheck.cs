using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.Mappings;

namespace StorageCache.Diagnostics;

/// <summary>
/// Proves that the structures of a quiet cache agree: no latch, pin or waiter is left, every frame and head is accounted
/// for, page tables and owners say the same. To be run while nobody uses the cache. Its own threads may still be ending what was
/// begun, as an eviction: what they change during the look is reported as not being at rest, or as a disagreement, and never read
/// through a number that names nothing any more.
/// </summary>
internal sealed unsafe class IntegrityCheck
{
    private readonly CacheCore _core;
    private readonly List<string> _problems = [];
    private readonly HashSet<uint> _heads = [];
    private readonly Dictionary<uint, int> _owners = [];
    private int _shared;
    private int _further;
    private int _byExtent;
    private int _byContent;
    private int _holds;
    private long _dirty;
    private int _leaves;

    private IntegrityCheck(CacheCore core) => _core = core;

    /// <summary>Checks a cache. Returns what is wrong; nothing, if all is well.</summary>
    /// <param name="core">The cache.</param>
    /// <param name="pinsExpected">Pins that are held.</param>
    /// <param name="holdsExpected">Protections that are held.</param>
    public static IReadOnlyList<string> Run(CacheCore core, int pinsExpected = 0, int holdsExpected = 0)
    {
        var check = new IntegrityCheck(core);
        int pins = 0;
        foreach (Mapping mapping in core.OpenMappings())
        {
            pins += check.CheckMapping(mapping);
        }

        check.Expect(pins == pinsExpected, $"{pins} pins are held, not {pinsExpected}");
        check.CheckHeads();
        check.CheckFrames(holdsExpected);
        check.Expect(core.Counters.DirtyPages == check._dirty, $"the dirty count is {core.Counters.DirtyPages}, but {check._dirty} pages are dirty");
        check.Expect(core.PageTables.Leaves == check._leaves, $"{core.PageTables.Leaves} leaves are in use, but {check._leaves} hang in page tables");
        check.Expect(core.Waiters.InUse == 0, $"{core.Waiters.InUse} waiters are in use");
        check.Expect(core.Loads.InUse == 0, $"{core.Loads.InUse} loads are in use");
        check.Expect(core.FrameQueue.Count == 0, $"{core.FrameQueue.Count} wait for frames");
        check.Expect(core.WriteBack.InUse == 0, $"{core.WriteBack.InUse} writes are in use");
        check.Expect(core.WriteBack.Bounce.InUse == 0, $"{core.WriteBack.Bounce.InUse} bounce frames are in use");
        check.Expect(core.Budget.Used <= core.Budget.Limit, $"{core.Budget.Used} bytes are charged, above the limit of {core.Budget.Limit}");
        return check._problems;
    }

    private int CheckMapping(Mapping mapping)
    {
        int pins = 0;
        long resident = 0;
        long dirty = 0;
        long next = 0;
        while (true)
        {
            LeafHeader* leaf = mapping.Table.EnterNextLeaf(next);
            if (leaf == null)
            {
                break;
            }

            _leaves++;
            int attached = 0;
            Slot* slots = _core.PageTables.SlotsOf(leaf);
            for (int i = 0; i < PageTable.SlotsPerLeaf; i++)
            {
                Slot* slot = slots + i;
                long page = leaf->FirstPage + i;
                ulong state = StateWord.Load(slot);
                bool isTagged = PageTable.NextDirty(leaf, page) == page;
                Expect(isTagged == ((state & StateWord.Dirty) != 0), $"page {page} of '{mapping.Path}': dirty tag {isTagged}, state {state:x}");
                if ((state & StateWord.Attached) == 0)
                {
                    Expect((uint)state == 0, $"page {page} of '{mapping.Path}' is absent with state {state:x}");
                    continue;
                }

                attached++;
                pins += CheckPage(mapping, slot, page, state);
                resident += (state & StateWord.UpToDate) != 0 ? 1 : 0;
                dirty += (state & StateWord.Dirty) != 0 ? 1 : 0;
            }

            Expect(leaf->Users == attached + 1, $"leaf at page {leaf->FirstPage} of '{mapping.Path}' has {leaf->Users - 1} users for {attached} heads");
            next = leaf->FirstPage + PageTable.SlotsPerLeaf;
            _core.PageTables.Leave(leaf);
        }

        Expect(resident == mapping.ResidentPages, $"'{mapping.Path}' counts {mapping.ResidentPages} resident pages and has {resident}");
        Expect(dirty == mapping.DirtyPages, $"'{mapping.Path}' counts {mapping.DirtyPages} dirty pages and has {dirty}");
        _dirty += dirty;
        return pins;
    }

    private int CheckPage(Mapping mapping, Slot* slot, long page, ulong state)
    {
        const ulong Transient = StateWord.SharedMask | StateWord.Exclusive | StateWord.Loading | StateWord.WriteBack
            | StateWord.HasWaiters | StateWord.ListLock;
        string name = $"page {page} of '{mapping.Path}'";
        Expect((state & Transient) == 0, $"{name} is not at rest: state {state:x}");
        uint number = Volatile.Read(ref slot->Head);
        if (number == 0)
        {
            Expect(false, $"{name} is not at rest: its head has just gone");
            return 0;
        }

        BufferHead* head = _core.Heads[number];
        Expect(_heads.Add(number), $"{name} shares head {number} with another page");
        Expect(head->InUse == 1 && head->Slot == slot && head->Page == page && head->Mapping == mapping.Number, $"{name} and its head disagree");
        Expect(head->Waiters == 0, $"{name} has waiters");
        Expect(head->Pins >= 0 && (head->Pins == 0 || (state & StateWord.Pinned) != 0), $"{name} has {head->Pins} pins and state {state:x}");
        if ((state & StateWord.UpToDate) == 0)
        {
            Expect(head->Pins > 0, $"{name} is absent and has a head without pins");
            return head->Pins;
        }

        Expect(head->RecoveryLsn == 0 || (state & StateWord.Dirty) != 0, $"{name} is clean and has a change {head->RecoveryLsn} to recover");
        uint index = Volatile.Read(ref slot->Frame);
        if (index == 0)
        {
            Expect(false, $"{name} is not at rest: its frame has just gone");
            return head->Pins;
        }

        FrameDescriptor* frame = _core.Frames.Descriptor(index);
        _owners[index] = _owners.GetValueOrDefault(index) + 1;
        Expect(frame->State == FrameState.InUse, $"{name} has frame {index}, which is {frame->State}");
        Expect(OwnersOf(frame).Contains(number), $"{name} is not among the owners of its frame {index}");
        bool isRelied = frame->OwnerCount > 1 || frame->Holds != 0 || (frame->Marks & FrameMarks.Indexed) != 0;
        Expect(!isRelied || (state & StateWord.Protected) != 0, $"{name} is not protected, with {frame->OwnerCount} owners, holds {frame->Holds:x} and marks {frame->Marks:x}");
        return head->Pins;
    }

    /// <summary>The heads in the ring of a frame's owners, as far as it goes.</summary>
    private HashSet<uint> OwnersOf(FrameDescriptor* frame)
    {
        HashSet<uint> owners = [];
        uint next = frame->Owner;
        while (next != 0 && owners.Count < frame->OwnerCount && owners.Add(next))
        {
            next = _core.Heads[next]->OwnerNext;
        }

        return owners;
    }

    private void CheckFrame(uint index, FrameDescriptor* frame)
    {
        int owners = _owners.GetValueOrDefault(index);
        Expect(frame->OwnerCount == owners, $"frame {index} counts {frame->OwnerCount} owners and {owners} pages have it");
        Expect(frame->OwnerCount == OwnersOf(frame).Count, $"frame {index} counts {frame->OwnerCount} owners and its ring has {OwnersOf(frame).Count}");
        Expect((frame->Marks & FrameMarks.OwnersLock) == 0, $"the owners of frame {index} are locked");
        Expect((frame->Marks & FrameMarks.ByExtent) == 0 || _core.Sharing.ByExtent.IsConsistent(index), $"frame {index} is not found by its extent");
        Expect((frame->Marks & FrameMarks.ByContent) == 0 || _core.Sharing.ByContent.IsConsistent(index), $"frame {index} is not found by its content");
        _shared += owners > 1 ? 1 : 0;
        _further += Math.Max(0, owners - 1);
        _byExtent += (frame->Marks & FrameMarks.ByExtent) != 0 ? 1 : 0;
        _byContent += (frame->Marks & FrameMarks.ByContent) != 0 ? 1 : 0;
        int holds = 0;
        for (ulong left = frame->Holds; left != 0; left >>= 16)
        {
            holds += (int)(left & 0xFFFF);
        }

        _holds += holds;
        int bounces = _core.WriteBack.Bounce.IsIdle(index) ? 1 : 0;
        Expect(frame->References == owners + holds + bounces, $"frame {index} has {frame->References} references, {owners} owners and {holds} holds");
    }

    private void CheckHeads()
    {
        int inUse = 0;
        for (uint i = 1; i <= _core.Heads.HighWater; i++)
        {
            BufferHead* head = _core.Heads[i];
            inUse += head->InUse == 1 ? 1 : 0;
            Expect(head->InUse == 0 || _heads.Contains(i), $"head {i} (page {head->Page}) is in use, but no slot has it");
            Expect(head->InUse == 1 || (head->Pins == 0 && head->Waiters == 0), $"head {i} is free with {head->Pins} pins");
        }

        Expect(inUse == _core.Heads.InUse, $"{_core.Heads.InUse} heads are counted in use, {inUse} are");
    }

    private void CheckFrames(int holdsExpected)
    {
        int free = 0;
        int active = 0;
        for (uint i = 1; i <= _core.Frames.HighWater; i++)
        {
            FrameDescriptor* frame = _core.Frames.Descriptor(i);
            free += frame->State == FrameState.Free ? 1 : 0;
            active += frame->State != FrameState.Retired ? 1 : 0;
            Expect(frame->State != FrameState.InUse || _owners.ContainsKey(i) || frame->Holds != 0 || _core.WriteBack.Bounce.IsIdle(i), $"frame {i} is in use, but no page has it ({frame->References} references)");
            Expect(frame->State == FrameState.InUse || frame->References == 0, $"frame {i} is {frame->State} with {frame->References} references");
            CheckFrame(i, frame);
        }

        Expect(_holds == holdsExpected, $"{_holds} holds are held, not {holdsExpected}");
        Expect(_shared == _core.Protection.Owners.SharedFrames, $"{_core.Protection.Owners.SharedFrames} frames are counted shared, {_shared} are");
        Expect(_further == _core.Heads.Further, $"{_core.Heads.Further} further owners are counted, {_further} are");
        Expect(_byExtent == _core.Sharing.ByExtent.Count, $"{_core.Sharing.ByExtent.Count} frames are counted in the index of extents, {_byExtent} are");
        Expect(_byContent == _core.Sharing.ByContent.Count, $"{_core.Sharing.ByContent.Count} frames are counted in the index of contents, {_byContent} are");

        Expect(free == _core.Frames.FreeCount, $"{_core.Frames.FreeCount} frames are counted free, {free} are");
        long registered = _core.Registration?.Bytes ?? 0;
        Expect(registered <= active * (long)_core.PageSize, $"{registered} bytes are registered, of {active} active frames");
        Expect(active == _core.Frames.Active, $"{_core.Frames.Active} frames are counted active, {active} are");
    }

    private void Expect(bool condition, string problem)
    {
        if (!condition)
        {
            _problems.Add(problem);
        }
    }
}
