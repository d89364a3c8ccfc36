using System.Diagnostics;

namespace StorageCache.KeyValueStore.Format;

/// <summary>The sizes that follow from the page size; all in bytes.</summary>
/// <remarks>
/// Why the numbers hold together: a leaf cell takes at most a quarter of a page or what a 1,024-byte key with an overflow reference takes,
/// so a page that overflows by one cell always splits into two that fit, and the smaller of them holds at least
/// <see cref="MinimumFill"/> bytes even when a 4 KiB page is full of 1,024-byte keys.
/// </remarks>
internal readonly struct PageLimits
{
    public PageLimits(int pageSize)
    {
        Debug.Assert(pageSize is >= 4096 and <= 65536);
        PageSize = pageSize;
        Capacity = pageSize - PageHeader.Size;
        MinimumFill = Capacity / 5;
        OverflowPayload = pageSize - PageHeader.Size;
    }

    public int PageSize { get; }

    /// <summary>Room for cells and their slots in a tree page.</summary>
    public int Capacity { get; }

    /// <summary>The least a tree page holds, but for the root and the last page of each level (KV-4).</summary>
    public int MinimumFill { get; }

    /// <summary>Bytes of a value that one overflow page carries.</summary>
    public int OverflowPayload { get; }

    /// <summary>The longest value kept in the leaf beside a key of this length.</summary>
    public int InlineLimit(int keyLength)
    {
        int quarter = (Capacity / 4) - TreeCell.FootprintOf(keyLength, 0);
        return Math.Max(OverflowReference.Size, quarter);
    }

    /// <summary>Overflow pages that a value of this length takes.</summary>
    public long OverflowPages(long valueLength) => (valueLength + OverflowPayload - 1) / OverflowPayload;
}
