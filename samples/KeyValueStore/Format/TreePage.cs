using System.Buffers.Binary;

namespace StorageCache.KeyValueStore.Format;

/// <summary>Reads a tree page whose bytes may change while they are read.</summary>
/// <remarks>
/// KV-6: nothing here trusts a number found in the page. Each is read once, checked against the page and only then used, and every loop is
/// bounded by the page size; torn bytes give <see langword="false"/> or a wrong answer, which the caller's validation throws away,
/// but never an exception.
/// </remarks>
internal readonly ref struct TreePage(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public PageKind Kind => PageHeader.Kind(_bytes);

    public int Level => PageHeader.Level(_bytes);

    public int Count => PageHeader.Count(_bytes);

    public long Next => PageHeader.Next(_bytes);

    public long Previous => PageHeader.Previous(_bytes);

    /// <summary>Whether kind and level agree with each other and the cell count can be right.</summary>
    public bool IsPlausible => (Kind, Level) is (PageKind.Leaf, 0) or (PageKind.Branch, > 0)
        && PageHeader.Size + (Count * TreeCell.SlotSize) <= _bytes.Length;

    /// <summary>Whether the page can be changed in place: the cells lie inside the heap and apart from each other, and they and the dead bytes add up to it (KV-1).</summary>
    public bool IsConsistent
    {
        get
        {
            int heapStart = PageHeader.HeapStart(_bytes);
            int deadBytes = PageHeader.DeadBytes(_bytes);
            if (!IsPlausible || heapStart < PageHeader.Size + (Count * TreeCell.SlotSize) || heapStart > _bytes.Length || deadBytes < 0)
            {
                return false;
            }

            HeapMap map = new(stackalloc ulong[HeapMap.LengthFor(_bytes.Length)]);
            long used = deadBytes;
            for (int i = 0; i < Count; i++)
            {
                if (!TryGetCell(i, out TreeCell cell) || OffsetOf(i) < heapStart || !map.TryTake(OffsetOf(i), cell.HeapSize))
                {
                    return false;
                }

                used += cell.HeapSize;
            }

            return used == _bytes.Length - heapStart;
        }
    }

    /// <summary>Byte offset of the cell at a position; 0 when there is no such slot.</summary>
    public int OffsetOf(int index)
    {
        int slot = PageHeader.Size + (index * TreeCell.SlotSize);
        return index < 0 || slot > _bytes.Length - TreeCell.SlotSize ? 0 : BinaryPrimitives.ReadUInt16LittleEndian(_bytes[slot..]);
    }

    /// <summary>Gets the cell at a position. False when the page cannot hold such a cell.</summary>
    public bool TryGetCell(int index, out TreeCell cell)
    {
        cell = default;
        int offset = OffsetOf(index);
        if (offset < PageHeader.Size || offset > _bytes.Length - TreeCell.HeaderSize)
        {
            return false;
        }

        int keyWord = BinaryPrimitives.ReadUInt16LittleEndian(_bytes[offset..]);
        int payloadLength = BinaryPrimitives.ReadUInt16LittleEndian(_bytes[(offset + 2)..]);
        int keyLength = keyWord & ~TreeCell.OverflowFlag;
        int keyStart = offset + TreeCell.HeaderSize;
        if (keyLength > KeyValueStore.MaximumKeyLength || keyStart + keyLength + payloadLength > _bytes.Length)
        {
            return false;
        }

        cell = new TreeCell(
            _bytes.Slice(keyStart, keyLength),
            _bytes.Slice(keyStart + keyLength, payloadLength),
            (keyWord & TreeCell.OverflowFlag) != 0);
        return true;
    }

    /// <summary>Finds the first cell whose key is not less than <paramref name="key"/>; <see cref="Count"/> when there is none.</summary>
    /// <returns>False when the page is not as a tree page must be.</returns>
    public bool TrySearch(ReadOnlySpan<byte> key, out int index, out bool found)
    {
        int low = 0;
        int high = Count;
        index = 0;
        found = false;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (!TryGetCell(middle, out TreeCell cell))
            {
                return false;
            }

            int order = cell.Key.SequenceCompareTo(key);
            if (order == 0)
            {
                index = middle;
                found = true;
                return true;
            }

            if (order < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        index = low;
        return true;
    }

    /// <summary>Finds the child of a branch on the way to <paramref name="target"/>.</summary>
    /// <remarks>The first cell's key is empty and stands for minus infinity (KV-2), so every key has a child.</remarks>
    /// <returns>False when the page is not as a branch must be.</returns>
    public bool TryFindChild(in SeekTarget target, out int index, out long child)
    {
        index = 0;
        child = 0;
        int count = Count;
        if (target.Kind == SeekKind.Last)
        {
            index = count - 1;
        }
        else
        {
            if (!TrySearch(target.Key.Span, out index, out bool found))
            {
                return false;
            }

            if (!found || target.Kind == SeekKind.Before)
            {
                index = Math.Max(index - 1, 0);
            }
        }

        if (index >= count || !TryGetCell(index, out TreeCell cell))
        {
            return false;
        }

        child = cell.Child;
        return child != 0;
    }
}
