using System.Buffers.Binary;

namespace StorageCache.KeyValueStore.Format;

/// <summary>One cell of a tree page, as a view of the page's bytes.</summary>
/// <remarks>
/// A cell is {key word: 2 bytes, payload length: 2 bytes, key, payload}. The top bit of the key word says that the payload is an
/// <see cref="OverflowReference"/>; the other bits are the key's length. In a branch the payload is the child's page number.
/// </remarks>
internal readonly ref struct TreeCell(ReadOnlySpan<byte> key, ReadOnlySpan<byte> payload, bool isOverflow)
{
    /// <summary>Bytes of a cell beside key and payload.</summary>
    public const int HeaderSize = 4;

    /// <summary>Bytes of a slot, the cell's offset in the page.</summary>
    public const int SlotSize = 2;

    /// <summary>Bytes of a branch cell's payload.</summary>
    public const int ChildSize = 8;

    /// <summary>The bit of the key word that marks an overflow reference.</summary>
    public const int OverflowFlag = 0x8000;

    public ReadOnlySpan<byte> Key { get; } = key;

    public ReadOnlySpan<byte> Payload { get; } = payload;

    public bool IsOverflow { get; } = isOverflow;

    /// <summary>Bytes this cell takes in its page, slot included.</summary>
    public int Footprint => FootprintOf(Key.Length, Payload.Length);

    /// <summary>Bytes this cell takes in the heap of its page.</summary>
    public int HeapSize => Footprint - SlotSize;

    /// <summary>The child's page number; 0, which is no child, when the payload has the wrong length.</summary>
    public long Child => Payload.Length == ChildSize ? BinaryPrimitives.ReadInt64LittleEndian(Payload) : 0;

    public static int FootprintOf(int keyLength, int payloadLength) => SlotSize + HeaderSize + keyLength + payloadLength;
}
