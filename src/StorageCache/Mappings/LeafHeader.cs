using System.Runtime.InteropServices;

namespace StorageCache.Mappings;

/// <summary>
/// What a leaf of the page table carries beside its 512 slots: who uses it, where it hangs, and a bitmap per tag.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
internal unsafe struct LeafHeader
{
    /// <summary>Size of a leaf header in bytes.</summary>
    public const int SizeInBytes = 256;

    /// <summary>Words of 64 bits in a tag's bitmap.</summary>
    public const int TagWords = PageTable.SlotsPerLeaf / 64;

    /// <summary>Value added to <see cref="Users"/> of a leaf that is being taken down or is free.</summary>
    public const int Frozen = int.MinValue / 2;

    /// <summary>
    /// Attached heads plus visitors. Below zero the leaf is frozen: nobody may enter. Changed by interlocked additions
    /// only and never reset, so that a visitor who raced a reclaim can take back what it added (PT-3).
    /// </summary>
    public int Users;

    /// <summary>Version that the slots start from in the leaf's next life: above all they had before (PT-2).</summary>
    public uint BaseVersion;

    /// <summary>The leaf's mapping in the cache's mapping table.</summary>
    public int Mapping;

    /// <summary>Whether the leaf stands in the queue of leaves that may be empty.</summary>
    public int Queued;

    /// <summary>Number of the page of the first slot.</summary>
    public long FirstPage;

    /// <summary>Address of the header of the node above, or zero for a root.</summary>
    public nuint Parent;

    /// <summary>Next leaf in the free list.</summary>
    public uint NextFree;

    /// <summary>Next leaf in the queue of leaves that may be empty.</summary>
    public uint NextQueued;

    /// <summary>Pages that are newer than the device.</summary>
    public fixed ulong Dirty[TagWords];

    /// <summary>Pages written since the last successful sync, in two generations that take turns.</summary>
    public fixed ulong UnsyncedEven[TagWords];

    /// <summary>The other generation of <see cref="UnsyncedEven"/>.</summary>
    public fixed ulong UnsyncedOdd[TagWords];
}
