using System.Buffers.Binary;
using System.IO.Hashing;

namespace StorageCache.KeyValueStore.Integrity;

/// <summary>The checksum in the first 8 bytes of every page but the meta page: XXH3 (64 bit) of the rest, with the page's number as the seed.</summary>
/// <remarks>The seed makes a page that has been written to another page's place as wrong as one with a flipped bit.</remarks>
internal static class PageChecksum
{
    /// <summary>Bytes of the checksum.</summary>
    public const int Size = 8;

    /// <summary>What is said of a page whose checksum is wrong.</summary>
    public const string Problem = "its checksum is wrong, so it is torn, has decayed or belongs elsewhere";

    public static bool IsValid(ReadOnlySpan<byte> page, long number) => BinaryPrimitives.ReadUInt64LittleEndian(page) == Compute(page, number);

    public static void Write(Span<byte> page, long number) => BinaryPrimitives.WriteUInt64LittleEndian(page, Compute(page, number));

    private static ulong Compute(ReadOnlySpan<byte> page, long number) => XxHash3.HashToUInt64(page[Size..], number);
}
