using StorageCache.Platform;

namespace StorageCache.Frames;

/// <summary>
/// Type-stable memory for fixed-size native items: what was an item stays one for the life of the slab, so a look that
/// raced the item's release reads an old or another item, never something else. Index 0 stands for "none". Thread-safe.
/// </summary>
internal sealed unsafe class NativeSlab
{
    private const long SmallCommitStep = 256 << 10;

    /// <summary>The kernel makes a 2 MiB page only of memory that is committed as a whole when it is first touched.</summary>
    private const long HugeCommitStep = 2 << 20;

    private readonly MemoryRegion _region;
    private readonly Lock _growth = new();
    private readonly int _itemSize;
    private readonly byte* _links;
    private readonly uint _maximum;
    private readonly long _commitStep;
    private NativeStack _free;
    private uint _highWater;
    private long _committed;

    /// <param name="maximum">The most items there can ever be.</param>
    /// <param name="itemSize">Bytes per item.</param>
    /// <param name="linkOffset">Where in an item the slab may keep the four-byte link of its free list.</param>
    /// <param name="hugePages">Whether to ask for 2 MiB memory pages.</param>
    public NativeSlab(uint maximum, int itemSize, int linkOffset, bool hugePages = false)
    {
        _maximum = maximum;
        _itemSize = itemSize;
        _commitStep = hugePages ? HugeCommitStep : SmallCommitStep;
        _region = MemoryRegion.Reserve((maximum + 1L) * itemSize, hugePages);
        Base = _region.Base;
        _links = Base + linkOffset;
        Commit(itemSize);
    }

    /// <summary>Address of item 0.</summary>
    public byte* Base { get; }

    /// <summary>Items that were ever used have indices 1 to this.</summary>
    public uint HighWater => Volatile.Read(ref _highWater);

    /// <summary>Whether an item that was used before is free.</summary>
    public bool HasFree => _free.Count > 0;

    /// <summary>Address of an item.</summary>
    public byte* this[uint index] => Base + ((long)index * _itemSize);

    /// <summary>Index of the item at an address.</summary>
    public uint IndexOf(void* item) => (uint)(((byte*)item - Base) / _itemSize);

    /// <summary>Takes an item that was used before, or returns zero.</summary>
    public uint TryReuse() => _free.Pop(_links, _itemSize);

    /// <summary>
    /// Takes an item that was never used (all bytes zero), or returns zero when there is no address space left, or the kernel
    /// has no memory to promise. Does not throw for that: callers hold list locks.
    /// </summary>
    public uint TryGrow()
    {
        lock (_growth)
        {
            if (_highWater == _maximum)
            {
                return 0;
            }

            uint index = _highWater + 1;
            try
            {
                Commit((index + 1L) * _itemSize);
            }
            catch (InsufficientMemoryException)
            {
                return 0;
            }

            Volatile.Write(ref _highWater, index);
            return index;
        }
    }

    /// <summary>Gives an item back.</summary>
    public void Free(uint index) => _free.Push(index, _links, _itemSize);

    /// <summary>Gives all physical memory back; the addresses stay readable as zeros.</summary>
    public void Discard() => _region.DiscardAll();

    private void Commit(long needed)
    {
        if (needed > _committed)
        {
            long target = Math.Min(_region.Size, (needed + _commitStep - 1) / _commitStep * _commitStep);
            _region.Commit(_committed, target - _committed);
            _committed = target;
        }
    }
}
