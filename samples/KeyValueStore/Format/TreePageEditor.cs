using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;

namespace StorageCache.KeyValueStore.Format;

/// <summary>Changes a tree page in place. The caller holds the page exclusively.</summary>
/// <remarks>
/// Slots grow up from the header, cells grow down from the end of the page; removed cells leave dead bytes, which
/// an insertion that needs them squeezes out.
/// </remarks>
internal readonly ref struct TreePageEditor(Span<byte> bytes)
{
    private readonly Span<byte> _bytes = bytes;

    private TreePage Page => new(_bytes);

    private int SlotsEnd => PageHeader.Size + (Page.Count * TreeCell.SlotSize);

    /// <summary>Bytes that cells and slots take.</summary>
    public int Used => SlotsEnd - PageHeader.Size + (_bytes.Length - PageHeader.HeapStart(_bytes)) - PageHeader.DeadBytes(_bytes);

    /// <summary>Inserts a cell; its footprint must fit the page.</summary>
    public void Insert(int index, ReadOnlySpan<byte> key, ReadOnlySpan<byte> payload, bool isOverflow)
    {
        int count = Page.Count;
        int cellSize = TreeCell.HeaderSize + key.Length + payload.Length;
        Debug.Assert(index >= 0 && index <= count);
        Debug.Assert(Used + cellSize + TreeCell.SlotSize <= _bytes.Length - PageHeader.Size);
        if (PageHeader.HeapStart(_bytes) - SlotsEnd < cellSize + TreeCell.SlotSize)
        {
            Compact();
        }

        int offset = PageHeader.HeapStart(_bytes) - cellSize;
        Span<byte> slots = _bytes[PageHeader.Size..];
        int slot = index * TreeCell.SlotSize;
        slots[slot..(count * TreeCell.SlotSize)].CopyTo(slots[(slot + TreeCell.SlotSize)..]);
        BinaryPrimitives.WriteUInt16LittleEndian(slots[slot..], checked((ushort)offset));
        WriteCell(_bytes[offset..], key, payload, isOverflow);
        PageHeader.SetHeapStart(_bytes, offset);
        PageHeader.SetCount(_bytes, count + 1);
    }

    /// <summary>Removes a cell.</summary>
    public void RemoveAt(int index)
    {
        int count = Page.Count;
        Span<byte> slots = _bytes[PageHeader.Size..];
        int slot = index * TreeCell.SlotSize;
        int offset = BinaryPrimitives.ReadUInt16LittleEndian(slots[slot..]);
        Page.TryGetCell(index, out TreeCell cell);
        int cellSize = cell.HeapSize;
        slots[(slot + TreeCell.SlotSize)..(count * TreeCell.SlotSize)].CopyTo(slots[slot..]);
        if (offset == PageHeader.HeapStart(_bytes))
        {
            PageHeader.SetHeapStart(_bytes, offset + cellSize);
        }
        else
        {
            PageHeader.SetDeadBytes(_bytes, PageHeader.DeadBytes(_bytes) + cellSize);
        }

        PageHeader.SetCount(_bytes, count - 1);
    }

    /// <summary>Adds a cell behind the last one; for building a page from its cells in order.</summary>
    public void Append(ReadOnlySpan<byte> key, ReadOnlySpan<byte> payload, bool isOverflow) =>
        Insert(Page.Count, key, payload, isOverflow);

    private static void WriteCell(Span<byte> cell, ReadOnlySpan<byte> key, ReadOnlySpan<byte> payload, bool isOverflow)
    {
        int keyWord = key.Length | (isOverflow ? TreeCell.OverflowFlag : 0);
        BinaryPrimitives.WriteUInt16LittleEndian(cell, (ushort)keyWord);
        BinaryPrimitives.WriteUInt16LittleEndian(cell[2..], checked((ushort)payload.Length));
        key.CopyTo(cell[TreeCell.HeaderSize..]);
        payload.CopyTo(cell[(TreeCell.HeaderSize + key.Length)..]);
    }

    private void Compact()
    {
        byte[] scratch = ArrayPool<byte>.Shared.Rent(_bytes.Length);
        Span<byte> copy = scratch.AsSpan(0, _bytes.Length);
        _bytes.CopyTo(copy);
        TreePage old = new(copy);
        int heap = _bytes.Length;
        for (int index = 0; index < old.Count; index++)
        {
            old.TryGetCell(index, out TreeCell cell);
            heap -= cell.HeapSize;
            WriteCell(_bytes[heap..], cell.Key, cell.Payload, cell.IsOverflow);
            BinaryPrimitives.WriteUInt16LittleEndian(_bytes[(PageHeader.Size + (index * TreeCell.SlotSize))..], checked((ushort)heap));
        }

        PageHeader.SetHeapStart(_bytes, heap);
        PageHeader.SetDeadBytes(_bytes, 0);
        ArrayPool<byte>.Shared.Return(scratch);
    }
}
