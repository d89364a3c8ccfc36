using System.Buffers.Binary;

namespace StorageCache.KeyValueStore.Format;

/// <summary>What a leaf keeps of a value that lives on overflow pages.</summary>
/// <param name="FirstPage">Page with the value's first bytes.</param>
/// <param name="IsRun">Whether the value's pages are neighbours, in order. Then they are known without reading any, which frees the value at once.</param>
/// <param name="Length">Bytes of the value.</param>
/// <param name="Hash">XXH3 (64 bit, seed 0) of the value.</param>
internal readonly record struct OverflowReference(long FirstPage, bool IsRun, int Length, ulong Hash)
{
    /// <summary>Bytes of the encoded form.</summary>
    public const int Size = 24;

    private const uint Scattered = 0;
    private const uint Run = 1;

    /// <summary>Reads the encoded form. False when the payload has the wrong length or its numbers cannot be right.</summary>
    public static bool TryRead(ReadOnlySpan<byte> payload, out OverflowReference reference)
    {
        reference = default;
        if (payload.Length != Size)
        {
            return false;
        }

        uint shape = BinaryPrimitives.ReadUInt32LittleEndian(payload[12..]);
        reference = new OverflowReference(
            BinaryPrimitives.ReadInt64LittleEndian(payload),
            shape == Run,
            BinaryPrimitives.ReadInt32LittleEndian(payload[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(payload[16..]));
        return shape is Scattered or Run && reference is { FirstPage: > MetaPage.RootPage, Length: > 0 and <= KeyValueStore.MaximumValueLength };
    }

    public void Write(Span<byte> payload)
    {
        BinaryPrimitives.WriteInt64LittleEndian(payload, FirstPage);
        BinaryPrimitives.WriteInt32LittleEndian(payload[8..], Length);
        BinaryPrimitives.WriteUInt32LittleEndian(payload[12..], IsRun ? Run : Scattered);
        BinaryPrimitives.WriteUInt64LittleEndian(payload[16..], Hash);
    }
}
