using System.Runtime.InteropServices;

namespace StorageCache.Mappings;

/// <summary>What an interior node of the page table carries beside its 512 entries.</summary>
[StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
internal unsafe struct NodeHeader
{
    /// <summary>Size of a node header in bytes.</summary>
    public const int SizeInBytes = 128;

    /// <summary>The node's entries.</summary>
    public nuint* Entries;

    /// <summary>Address of the header of the node above, or zero for the root.</summary>
    public nuint Parent;

    /// <summary>Number of the first page below the node.</summary>
    public long FirstPage;

    /// <summary>How far a page number is shifted right to find its entry here.</summary>
    public int Shift;

    /// <summary>Entries that are not null.</summary>
    public int Children;

    /// <summary>Next node in the free list.</summary>
    public uint NextFree;

    /// <summary>Children with dirty pages below them; may say so of a child that has none left (PT-6).</summary>
    public fixed ulong Dirty[PageTable.EntriesPerNode / 64];
}
