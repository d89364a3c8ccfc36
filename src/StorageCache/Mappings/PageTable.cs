using System.Diagnostics;
using System.Runtime.CompilerServices;
using StorageCache.Buffers;

namespace StorageCache.Mappings;

/// <summary>
/// Page number to slot: a radix tree in native memory, 9 bits to a level, as high as the file needs. Looking up is
/// lock-free and writes nothing; leaves and nodes come and go under a lock of the table.
/// </summary>
/// <remarks>
/// <para>The idea is that of the kernel's XArray; the slots carry the state word, so that a hit ends in the leaf.</para>
/// <para>
/// A look-up that raced the reclaim of a leaf may hold a slot of a leaf that now belongs elsewhere. It finds out after it
/// has taken the latch (or read the state): if the table's generation has not moved since before the look-up, nothing it
/// passed has gone; if it has, a second look-up tells, for a leaf with a latched page cannot be reclaimed, and it stays
/// where it hangs for as long as it lives (PT-5).
/// </para>
/// <para>
/// A look-up that raced the reclaim of a node may likewise read an entry of a node that has come back at another level.
/// Every reference therefore says what it refers to: the low bits carry the shift of the node, or 0 for a leaf. A walk
/// goes by those bits and not by how far down it should be, so it never takes a leaf's slots for entries (PT-7).
/// </para>
/// </remarks>
internal sealed unsafe partial class PageTable
{
    /// <summary>Bits of the page number that one level resolves.</summary>
    public const int BitsPerLevel = 9;

    /// <summary>Slots in a leaf.</summary>
    public const int SlotsPerLeaf = 1 << BitsPerLevel;

    /// <summary>Entries in an interior node.</summary>
    public const int EntriesPerNode = 1 << BitsPerLevel;

    /// <summary>Bytes of the slots of a leaf.</summary>
    public const int LeafSlotBytes = SlotsPerLeaf * Slot.SizeInBytes;

    /// <summary>Bytes of the entries of an interior node.</summary>
    public const int NodeEntryBytes = EntriesPerNode * 8;

    private const nuint ShiftMask = 63;

    private readonly PageTableMemory _memory;
    private readonly int _mapping;
    private readonly Lock _structure = new();

    /// <summary>
    /// Reference to the topmost node or leaf: its address, with the node's shift in the low bits (0: a leaf). Zero: empty.
    /// </summary>
    private nuint _root;

    /// <summary>Moves after a leaf or node was cut out of the tree, and before it is freed (PT-5).</summary>
    private uint _generation;

    /// <summary>Whether no leaf is to be made any more. Under the lock.</summary>
    private bool _isClosed;

    public PageTable(PageTableMemory memory, int mapping)
    {
        _memory = memory;
        _mapping = mapping;
    }

    /// <summary>To be read before <see cref="Find"/>, and handed to <see cref="IsCurrent"/> afterwards.</summary>
    public uint Generation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Volatile.Read(ref _generation);
    }

    /// <summary>
    /// Whether a slot that was found is the page's still, now that its page is latched or its state has been read (PT-5).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsCurrent(Slot* slot, long page, uint generation)
    {
        // What was read of the slot was read before.
        Volatile.ReadBarrier();
        return Volatile.Read(ref _generation) == generation || IsStillAt(slot, page);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool IsStillAt(Slot* slot, long page) => Find(page) == slot;

    /// <summary>Finds a page's slot, or null when the page has no leaf. Lock-free; writes nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Slot* Find(long page)
    {
        nuint node = Volatile.Read(ref _root);
        int shift = (int)(node & ShiftMask);
        if ((ulong)page >> (shift + BitsPerLevel) != 0)
        {
            return null;
        }

        while (shift != 0)
        {
            node = Volatile.Read(ref ((nuint*)(node & ~ShiftMask))[(nuint)((ulong)page >> shift) & (EntriesPerNode - 1)]);
            shift = (int)(node & ShiftMask);
        }

        return node == 0 ? null : (Slot*)node + ((nuint)page & (SlotsPerLeaf - 1));
    }

    /// <summary>
    /// Finds a page's slot and keeps its leaf alive until <see cref="PageTableMemory.Leave"/>. Returns null when there is
    /// no leaf, or none can be made: for want of memory, or because the table is closed.
    /// </summary>
    /// <param name="page">The page.</param>
    /// <param name="create">Whether to make the leaf if there is none.</param>
    /// <param name="outOfMemory">Whether the leaf could not be made for want of memory.</param>
    public Slot* Enter(long page, bool create, out bool outOfMemory)
    {
        outOfMemory = false;
        SpinWait spin = default;
        while (true)
        {
            Slot* slot = Find(page);
            if (slot == null)
            {
                if (!create)
                {
                    return null;
                }

                return CreateLeaf(page, out outOfMemory);
            }

            if (TryEnter(page, slot))
            {
                return slot;
            }

            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <summary>Cuts a leaf that nobody uses out of the tree and frees it. Returns whether it was.</summary>
    public bool TryReclaim(LeafHeader* leaf)
    {
        lock (_structure)
        {
            if (!PageTableMemory.TryFreeze(leaf))
            {
                return false;
            }

            // The header may have come to belong to another table since it was queued. While it was frozen nobody who
            // left it could queue it.
            if (Find(leaf->FirstPage) != _memory.SlotsOf(leaf))
            {
                _memory.Unfreeze(leaf);
                return false;
            }

            KeepUnsynced(leaf);
            Cut((NodeHeader*)leaf->Parent, leaf->FirstPage);
        }

        _memory.FreeLeaf(leaf);
        return true;
    }

    /// <summary>
    /// Frees every leaf and node, and makes no more: whoever is late to a mapping that is closed would leave a leaf behind.
    /// No page may be attached any more.
    /// </summary>
    public void Close()
    {
        lock (_structure)
        {
            _isClosed = true;
        }

        Clear();
    }

    /// <summary>Frees every leaf and node. No page may be attached any more.</summary>
    public void Clear()
    {
        SpinWait spin = default;
        while (true)
        {
            LeafHeader* leaf = EnterNextLeaf(0);
            if (leaf == null)
            {
                return;
            }

            // If it cannot be had, a racing visitor is about to leave, or somebody else has reclaimed it: then the header
            // may belong to another table by now, and is not to be waited for.
            _memory.Leave(leaf);
            if (!TryReclaim(leaf))
            {
                spin.SpinOnce();
            }
        }
    }

    /// <summary>Finds the first leaf that ends behind a page and keeps it alive; null when there is none.</summary>
    public LeafHeader* EnterNextLeaf(long fromPage) => EnterNext(fromPage, dirtyOnly: false);

    private static int EntryOf(long page, int shift) => (int)((ulong)page >> shift) & (EntriesPerNode - 1);

    private static nuint ReferenceTo(NodeHeader* node) => (nuint)node->Entries | (nuint)node->Shift;

    private NodeHeader* NodeOf(nuint reference) => _memory.HeaderOf((nuint*)(reference & ~ShiftMask));

    private bool TryEnter(long page, Slot* slot)
    {
        LeafHeader* leaf = _memory.HeaderOf(slot);
        if (Interlocked.Increment(ref leaf->Users) > 0 && Find(page) == slot)
        {
            return true;
        }

        _memory.Leave(leaf);
        return false;
    }

    private LeafHeader* EnterNext(long fromPage, bool dirtyOnly)
    {
        lock (_structure)
        {
            nuint root = _root;
            if (root == 0)
            {
                return null;
            }

            LeafHeader* leaf = FindNext(root, fromPage, dirtyOnly);
            if (leaf != null)
            {
                // Freezing takes the lock that is held here, so the leaf is not frozen.
                Interlocked.Increment(ref leaf->Users);
            }

            return leaf;
        }
    }

    private LeafHeader* FindNext(nuint reference, long fromPage, bool dirtyOnly)
    {
        int shift = (int)(reference & ShiftMask);
        if (shift == 0)
        {
            LeafHeader* leaf = _memory.HeaderOf((Slot*)reference);
            bool inReach = leaf->FirstPage + SlotsPerLeaf > fromPage;
            return inReach && (!dirtyOnly || HasDirty(leaf)) ? leaf : null;
        }

        NodeHeader* node = NodeOf(reference);
        int first = fromPage <= node->FirstPage ? 0 : (int)Math.Min(EntriesPerNode, (fromPage - node->FirstPage) >> shift);
        for (int i = first; i < EntriesPerNode; i++)
        {
            nuint child = node->Entries[i];
            if (child == 0 || (dirtyOnly && !HasDirty(node, i)))
            {
                continue;
            }

            LeafHeader* found = FindNext(child, fromPage, dirtyOnly);
            if (found != null)
            {
                return found;
            }

            if (dirtyOnly && fromPage <= node->FirstPage + ((long)i << shift))
            {
                ClearStaleDirty(node, i);
            }
        }

        return null;
    }

    private Slot* CreateLeaf(long page, out bool outOfMemory)
    {
        outOfMemory = false;
        lock (_structure)
        {
            if (_isClosed)
            {
                return null;
            }

            Slot* slot = Find(page);
            if (slot != null)
            {
                Interlocked.Increment(ref _memory.HeaderOf(slot)->Users);
                return slot;
            }

            LeafHeader* leaf = _memory.TryAllocateLeaf(_mapping, page & ~(SlotsPerLeaf - 1L));
            if (leaf == null)
            {
                outOfMemory = true;
                return null;
            }

            if (!TryHang(leaf, page))
            {
                outOfMemory = true;
                bool frozen = Interlocked.CompareExchange(ref leaf->Users, LeafHeader.Frozen, 1) == 1;
                Debug.Assert(frozen, "nobody else has seen the leaf");
                _memory.FreeLeaf(leaf);
                return null;
            }

            return _memory.SlotsOf(leaf) + (page & (SlotsPerLeaf - 1));
        }
    }

    private bool TryHang(LeafHeader* leaf, long page)
    {
        nuint slots = (nuint)_memory.SlotsOf(leaf);
        int needed = 0;
        while ((ulong)page >> (needed + BitsPerLevel) != 0)
        {
            needed += BitsPerLevel;
        }

        if (_root == 0 && needed == 0)
        {
            Volatile.Write(ref _root, slots);
            return true;
        }

        while (_root == 0 || (int)(_root & ShiftMask) < needed)
        {
            if (!TryGrowRoot(needed))
            {
                return false;
            }
        }

        NodeHeader* node = NodeOf(_root);
        while (node->Shift > BitsPerLevel)
        {
            int index = EntryOf(page, node->Shift);
            nuint child = node->Entries[index];
            if (child == 0)
            {
                NodeHeader* made = _memory.TryAllocateNode(page & -(1L << node->Shift), node->Shift - BitsPerLevel);
                if (made == null)
                {
                    Prune(node);
                    return false;
                }

                made->Parent = (nuint)node;
                child = ReferenceTo(made);
                node->Children++;
                Volatile.Write(ref node->Entries[index], child);
            }

            node = NodeOf(child);
        }

        leaf->Parent = (nuint)node;
        node->Children++;
        Volatile.Write(ref node->Entries[EntryOf(page, node->Shift)], slots);
        return true;
    }

    private bool TryGrowRoot(int needed)
    {
        nuint root = _root;
        int shift = root == 0 ? needed : (int)(root & ShiftMask) + BitsPerLevel;
        NodeHeader* node = _memory.TryAllocateNode(0, shift);
        if (node == null)
        {
            return false;
        }

        if (root != 0)
        {
            node->Entries[0] = root;
            node->Children = 1;
            bool dirty;
            if ((root & ShiftMask) == 0)
            {
                LeafHeader* leaf = _memory.HeaderOf((Slot*)root);
                Volatile.Write(ref leaf->Parent, (nuint)node);

                // Either the one who dirties a page sees the new parent, or its bit is seen here.
                Interlocked.MemoryBarrier();
                dirty = HasDirty(leaf);
            }
            else
            {
                NodeHeader* child = NodeOf(root);
                Volatile.Write(ref child->Parent, (nuint)node);
                Interlocked.MemoryBarrier();
                dirty = HasDirty(child);
            }

            if (dirty)
            {
                Interlocked.Or(ref node->Dirty[0], 1);
            }
        }

        Volatile.Write(ref _root, ReferenceTo(node));
        return true;
    }

    private void Cut(NodeHeader* parent, long page)
    {
        if (parent == null)
        {
            Volatile.Write(ref _root, 0);
        }
        else
        {
            Volatile.Write(ref parent->Entries[EntryOf(page, parent->Shift)], 0);
            parent->Children--;
        }

        // After the leaf is cut out and before it is freed; the nodes above follow.
        Interlocked.Increment(ref _generation);
        if (parent != null)
        {
            Prune(parent);
        }
    }

    /// <summary>Frees a node without children, and those above it that lose their last one.</summary>
    private void Prune(NodeHeader* node)
    {
        while (node != null && node->Children == 0)
        {
            var parent = (NodeHeader*)node->Parent;
            if (parent == null)
            {
                Volatile.Write(ref _root, 0);
            }
            else
            {
                Volatile.Write(ref parent->Entries[EntryOf(node->FirstPage, parent->Shift)], 0);
                parent->Children--;
            }

            Interlocked.Increment(ref _generation);
            _memory.FreeNode(node);
            node = parent;
        }
    }
}
