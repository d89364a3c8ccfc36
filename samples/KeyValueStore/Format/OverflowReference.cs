using System.Buffers.Binary;

namespace StorageCache.KeyValueStore.Format;

/// <summary>What a leaf keeps of a value that lives on overflow pages.</summary>
/// <param name="FirstPage">Page with the value's first bytes.</param>
/// <param name="LastPage">Page with its last bytes; the whole chain is put on the free list by changing this one page.</param>
/// <param name="Length">Bytes of the value.</param>
/// <param name="Hash">XXH3 (64 bit, seed 0) of the value.</param>
internal readonly record struct OverflowReference(long FirstPage, long LastPage, int Length, ulong Hash)
{
    /// <summary>Bytes of the encoded form.</summary>
    public const int Size = 28;

    /// <summary>Reads the encoded form. False when the payload has the wrong length or its numbers cannot be right.</summary>
    public static bool TryRead(ReadOnlySpan<byte> payload, out OverflowReference reference)
    {
        reference = default;
        if (payload.Length != Size)
        {
            return false;
        }

        reference = new OverflowReference(
            BinaryPrimitives.ReadInt64LittleEndian(payload),
            BinaryPrimitives.ReadInt64LittleEndian(payload[8..]),
            BinaryPrimitives.ReadInt32LittleEndian(payload[16..]),
            BinaryPrimitives.ReadUInt64LittleEndian(payload[20..]));
        return reference is { FirstPage: > MetaPage.RootPage, LastPage: > MetaPage.RootPage, Length: > 0 and <= KeyValueStore.MaximumValueLength };
    }

    public void Write(Span<byte> payload)
    {
        BinaryPrimitives.WriteInt64LittleEndian(payload, FirstPage);
        BinaryPrimitives.WriteInt64LittleEndian(payload[8..], LastPage);
        BinaryPrimitives.WriteInt32LittleEndian(payload[16..], Length);
        BinaryPrimitives.WriteUInt64LittleEndian(payload[20..], Hash);
    }
}
