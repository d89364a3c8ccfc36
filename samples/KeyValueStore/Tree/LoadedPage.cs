using StorageCache.KeyValueStore.Format;

namespace StorageCache.KeyValueStore.Tree;

/// <summary>A private copy of a tree page, taken apart.</summary>
internal sealed class LoadedPage
{
    private LoadedPage(long number, int level, long next, long previous, List<PlannedCell> cells)
    {
        Number = number;
        Level = level;
        Next = next;
        Previous = previous;
        Cells = cells;
        Size = SizeOf(cells);
    }

    public long Number { get; }

    public int Level { get; }

    public long Next { get; }

    public long Previous { get; }

    /// <summary>The cells; the planner changes this list.</summary>
    public List<PlannedCell> Cells { get; }

    /// <summary>Bytes that the cells took when the page was loaded.</summary>
    public int Size { get; }

    public static int SizeOf(List<PlannedCell> cells)
    {
        int size = 0;
        foreach (PlannedCell cell in cells)
        {
            size += cell.Footprint;
        }

        return size;
    }

    /// <summary>Copies a page. Null when it is not a tree page that can be taken apart and put together again.</summary>
    public static LoadedPage? TryLoad(long number, ReadOnlySpan<byte> bytes)
    {
        byte[] image = bytes.ToArray();
        TreePage page = new(image);
        if (!page.IsConsistent)
        {
            return null;
        }

        List<PlannedCell> cells = new(page.Count + 1);
        for (int i = 0; i < page.Count; i++)
        {
            if (!page.TryGetCell(i, out TreeCell cell)
                || (page.Level > 0 && cell.Child == 0)
                || (i > 0 && cells[i - 1].Key.Span.SequenceCompareTo(cell.Key) >= 0))
            {
                return null;
            }

            cells.Add(new PlannedCell(Slice(image, cell.Key), Slice(image, cell.Payload), cell.IsOverflow));
        }

        return new LoadedPage(number, page.Level, page.Next, page.Previous, cells);
    }

    private static ReadOnlyMemory<byte> Slice(byte[] image, ReadOnlySpan<byte> part)
    {
        if (part.IsEmpty)
        {
            return default;
        }

        image.AsSpan().Overlaps(part, out int offset);
        return image.AsMemory(offset, part.Length);
    }
}
