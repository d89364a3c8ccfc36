using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.Platform;

namespace StorageCache.Mappings;

/// <summary>
/// The memory that the page tables of one cache are built from: leaves (a header and 8 KiB of slots) and interior nodes
/// (a header and 4 KiB of entries), charged to the memory budget, and the queue of leaves that may be empty. Thread-safe.
/// </summary>
internal sealed unsafe class PageTableMemory
{
    /// <summary>Bytes that a leaf charges.</summary>
    public const int LeafBytes = PageTable.LeafSlotBytes + LeafHeader.SizeInBytes;

    /// <summary>Bytes that an interior node charges.</summary>
    public const int NodeBytes = PageTable.NodeEntryBytes + NodeHeader.SizeInBytes;

    private const long CommitStep = 2L << 20;

    /// <summary>Whether a leaf has ever been given back.</summary>
    private int _hasHoles;

    private readonly MemoryBudget _budget;
    private readonly NativeSlab _leafHeaders;
    private readonly NativeSlab _nodeHeaders;
    private readonly MemoryRegion _slots;
    private readonly MemoryRegion _entries;
    private readonly byte* _slotsBase;
    private readonly Lock _growth = new();
    private readonly Lock _queue = new();
    private long _committedSlots;
    private long _committedEntries;
    private uint _queueHead;
    private uint _queueTail;
    private int _leaves;
    private int _nodes;
    private int _queued;
    private bool _noLeaf;
    private bool _noNode;

    /// <param name="budget">What leaves and nodes are charged to.</param>
    /// <param name="maximumBytes">The largest memory limit there can ever be; bounds the address space.</param>
    /// <param name="hugePages">Whether to ask for 2 MiB memory pages for the slots.</param>
    public PageTableMemory(MemoryBudget budget, long maximumBytes, bool hugePages)
    {
        _budget = budget;
        uint maximumLeaves = (uint)Math.Min(int.MaxValue, (maximumBytes / LeafBytes) + 2);
        uint maximumNodes = (uint)Math.Min(int.MaxValue, (maximumBytes / NodeBytes) + 2);
        _leafHeaders = new NativeSlab(maximumLeaves, LeafHeader.SizeInBytes, (int)Marshal.OffsetOf<LeafHeader>(nameof(LeafHeader.NextFree)));
        _nodeHeaders = new NativeSlab(maximumNodes, NodeHeader.SizeInBytes, (int)Marshal.OffsetOf<NodeHeader>(nameof(NodeHeader.NextFree)));
        _slots = MemoryRegion.Reserve((maximumLeaves + 1L) * PageTable.LeafSlotBytes, hugePages);
        _entries = MemoryRegion.Reserve((maximumNodes + 1L) * PageTable.NodeEntryBytes, hugePages: false);
        _slotsBase = _slots.Base;
    }

    /// <summary>Leaves in use.</summary>
    public int Leaves => Volatile.Read(ref _leaves);

    /// <summary>Interior nodes in use.</summary>
    public int Nodes => Volatile.Read(ref _nodes);

    /// <summary>Leaves that may be empty: kept for their shadow entries until memory is short.</summary>
    public int QueuedLeaves => Volatile.Read(ref _queued);

    /// <summary>
    /// Whether room in the budget is all that a leaf may want for: there was memory for the last leaf and the last node, or one
    /// has been given back since.
    /// </summary>
    public bool MayGrow => !Volatile.Read(ref _noLeaf) && !Volatile.Read(ref _noNode);

    /// <summary>Header of the leaf that a slot lies in.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public LeafHeader* HeaderOf(Slot* slot) =>
        (LeafHeader*)_leafHeaders.Base + (((byte*)slot - _slotsBase) / PageTable.LeafSlotBytes);

    /// <summary>Number of the page that a slot of a leaf in use belongs to.</summary>
    public long PageOf(Slot* slot)
    {
        long offset = (byte*)slot - _slotsBase;
        var leaf = (LeafHeader*)_leafHeaders.Base + (offset / PageTable.LeafSlotBytes);
        return leaf->FirstPage + ((offset % PageTable.LeafSlotBytes) / Slot.SizeInBytes);
    }

    /// <summary>Slots of a leaf.</summary>
    public Slot* SlotsOf(LeafHeader* leaf) =>
        (Slot*)(_slotsBase + (_leafHeaders.IndexOf(leaf) * (long)PageTable.LeafSlotBytes));

    /// <summary>Header of an interior node, from its entries.</summary>
    public NodeHeader* HeaderOf(nuint* entries) =>
        (NodeHeader*)_nodeHeaders.Base + (((byte*)entries - _entries.Base) / PageTable.NodeEntryBytes);

    /// <summary>Takes a leaf with all pages absent and one user, or returns null when the budget has no room for it.</summary>
    public LeafHeader* TryAllocateLeaf(int mapping, long firstPage)
    {
        if (!_budget.TryCharge(LeafBytes))
        {
            return null;
        }

        uint index = _leafHeaders.TryReuse();
        bool reused = index != 0;
        if (!reused && (index = _leafHeaders.TryGrow()) == 0)
        {
            Volatile.Write(ref _noLeaf, true);
            _budget.Release(LeafBytes);
            return null;
        }

        var header = (LeafHeader*)_leafHeaders[index];
        if (!TryCommit(_slots, ref _committedSlots, (index + 1L) * PageTable.LeafSlotBytes))
        {
            // Only a header that was never used can come without slots; it is to look like one that was.
            Interlocked.Add(ref header->Users, LeafHeader.Frozen);
            _leafHeaders.Free(index);
            Volatile.Write(ref _noLeaf, true);
            _budget.Release(LeafBytes);
            return null;
        }

        header->Mapping = mapping;
        header->FirstPage = firstPage;
        header->Parent = 0;
        new Span<ulong>(header->Dirty, 3 * LeafHeader.TagWords).Clear();

        // The slots hold no page, so nobody changes them: a racing look that finds this memory sees no up-to-date page,
        // and whatever version it saw before is below the new ones (PT-2).
        Slot* slots = SlotsOf(header);
        ulong state = (ulong)(header->BaseVersion + 1) << 32;
        for (int i = 0; i < PageTable.SlotsPerLeaf; i++)
        {
            Volatile.Write(ref slots[i].State, state);
            slots[i].Head = 0;
        }

        Volatile.Write(ref _noLeaf, false);
        Interlocked.Add(ref header->Users, reused ? 1 - LeafHeader.Frozen : 1);
        Interlocked.Increment(ref _leaves);
        return header;
    }

    /// <summary>Gives back a leaf that was frozen with <see cref="TryFreeze"/> and cut from its tree.</summary>
    public void FreeLeaf(LeafHeader* leaf)
    {
        Slot* slots = SlotsOf(leaf);
        uint version = leaf->BaseVersion;
        for (int i = 0; i < PageTable.SlotsPerLeaf; i++)
        {
            ulong state = Volatile.Read(ref slots[i].State);
            Debug.Assert((uint)state == 0, "a leaf is freed when none of its pages is resident, latched or awaited (PT-1)");
            uint reached = (uint)(state >> 32);
            if ((int)(reached - version) > 0)
            {
                version = reached;
            }
        }

        leaf->BaseVersion = version;
        uint index = _leafHeaders.IndexOf(leaf);
        if (Interlocked.Exchange(ref _hasHoles, 1) == 0)
        {
            // The kernel would fill the holes again, to make huge pages of what lies around them.
            _slots.AdviseHuge(false);
        }

        _slots.Discard((byte*)slots - _slotsBase, PageTable.LeafSlotBytes);
        _leafHeaders.Free(index);
        Volatile.Write(ref _noLeaf, false);
        _budget.Release(LeafBytes);
        Interlocked.Decrement(ref _leaves);
    }

    /// <summary>Keeps everybody out of a leaf that nobody uses.</summary>
    public static bool TryFreeze(LeafHeader* leaf) =>
        Interlocked.CompareExchange(ref leaf->Users, LeafHeader.Frozen, 0) == 0;

    /// <summary>Lets everybody into a leaf again that was frozen by mistake.</summary>
    public void Unfreeze(LeafHeader* leaf)
    {
        if (Interlocked.Add(ref leaf->Users, -LeafHeader.Frozen) == 0)
        {
            Enqueue(leaf);
        }
    }

    /// <summary>Takes an interior node with no children, or returns null when the budget has no room for it.</summary>
    public NodeHeader* TryAllocateNode(long firstPage, int shift)
    {
        if (!_budget.TryCharge(NodeBytes))
        {
            return null;
        }

        uint index = _nodeHeaders.TryReuse();
        if (index == 0 && (index = _nodeHeaders.TryGrow()) == 0)
        {
            Volatile.Write(ref _noNode, true);
            _budget.Release(NodeBytes);
            return null;
        }

        if (!TryCommit(_entries, ref _committedEntries, (index + 1L) * PageTable.NodeEntryBytes))
        {
            _nodeHeaders.Free(index);
            Volatile.Write(ref _noNode, true);
            _budget.Release(NodeBytes);
            return null;
        }

        var header = (NodeHeader*)_nodeHeaders[index];
        header->Entries = (nuint*)(_entries.Base + (index * (long)PageTable.NodeEntryBytes));
        header->Parent = 0;
        header->FirstPage = firstPage;
        header->Shift = shift;
        header->Children = 0;
        new Span<ulong>(header->Dirty, PageTable.EntriesPerNode / 64).Clear();
        new Span<nuint>(header->Entries, PageTable.EntriesPerNode).Clear();
        Volatile.Write(ref _noNode, false);
        Interlocked.Increment(ref _nodes);
        return header;
    }

    /// <summary>Gives back a node without children that was cut from its tree.</summary>
    public void FreeNode(NodeHeader* node)
    {
        // What is no longer charged must not stay in memory either. A walk that is late reads zeros: nothing hangs there.
        uint index = _nodeHeaders.IndexOf(node);
        _entries.Discard(index * (long)PageTable.NodeEntryBytes, PageTable.NodeEntryBytes);
        _nodeHeaders.Free(index);
        Volatile.Write(ref _noNode, false);
        _budget.Release(NodeBytes);
        Interlocked.Decrement(ref _nodes);
    }

    /// <summary>Leaves a leaf that was entered; the last one out queues it for reclaim.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Leave(LeafHeader* leaf)
    {
        if (Interlocked.Decrement(ref leaf->Users) == 0)
        {
            Enqueue(leaf);
        }
    }

    /// <summary>Takes the leaf that has been queued longest, or returns null. It may be in use again.</summary>
    public LeafHeader* Dequeue()
    {
        lock (_queue)
        {
            if (_queueHead == 0)
            {
                return null;
            }

            var leaf = (LeafHeader*)_leafHeaders[_queueHead];
            _queueHead = leaf->NextQueued;
            if (_queueHead == 0)
            {
                _queueTail = 0;
            }

            leaf->Queued = 0;
            _queued--;
            return leaf;
        }
    }

    /// <summary>Gives all physical memory back; the addresses stay readable as zeros.</summary>
    public void Discard()
    {
        _leafHeaders.Discard();
        _nodeHeaders.Discard();
        _slots.DiscardAll();
        _entries.DiscardAll();
    }

    /// <summary>Queues a leaf whose last user left.</summary>
    public void Enqueue(LeafHeader* leaf)
    {
        lock (_queue)
        {
            if (leaf->Queued != 0)
            {
                return;
            }

            uint index = _leafHeaders.IndexOf(leaf);
            leaf->Queued = 1;
            leaf->NextQueued = 0;
            if (_queueTail == 0)
            {
                _queueHead = index;
            }
            else
            {
                ((LeafHeader*)_leafHeaders[_queueTail])->NextQueued = index;
            }

            _queueTail = index;
            _queued++;
        }
    }

    /// <summary>Gives a region memory up to some size. False if the kernel has none to promise; callers hold locks.</summary>
    private bool TryCommit(MemoryRegion region, ref long committed, long needed)
    {
        lock (_growth)
        {
            if (needed <= committed)
            {
                return true;
            }

            long target = Math.Min(region.Size, (needed + CommitStep - 1) / CommitStep * CommitStep);
            try
            {
                region.Commit(committed, target - committed);
            }
            catch (InsufficientMemoryException)
            {
                return false;
            }

            committed = target;
            return true;
        }
    }
}
