using System.Buffers.Binary;
using System.IO.Hashing;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>The first sector of a slot: which segment it holds. Written with the first batch of the segment.</summary>
/// <remarks>
/// All numbers are little-endian.
/// <code>
/// offset  bytes
///      0      8  magic "SCKVWSEG"
///      8     16  identity of the log
///     24      8  number of the segment
///     32      8  LSN at which it begins
///     40      8  XXH3 (64 bit, seeded by the identity) of bytes 0 to 39
/// </code>
/// </remarks>
internal static class SegmentHeader
{
    /// <summary>Bytes of the encoded form.</summary>
    public const int Size = 48;

    /// <summary>Bytes that it takes in a slot; data follows.</summary>
    public const int Room = 4096;

    private const int ChecksumOffset = 40;

    private static ReadOnlySpan<byte> Magic => "SCKVWSEG"u8;

    /// <summary>Whether bytes begin as a slot does that has held a segment, of whatever log.</summary>
    public static bool HasMagic(ReadOnlySpan<byte> bytes) => bytes.StartsWith(Magic);

    /// <summary>Reads which segment a slot holds. False if it holds none of this log.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, LogGeometry geometry, out long segment)
    {
        segment = BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]);
        return bytes.StartsWith(Magic)
            && BinaryPrimitives.ReadUInt64LittleEndian(bytes[ChecksumOffset..]) == XxHash3.HashToUInt64(bytes[..ChecksumOffset], geometry.Seed)
            && new Guid(bytes.Slice(8, 16)) == geometry.Identity
            && segment >= 0
            && BinaryPrimitives.ReadUInt64LittleEndian(bytes[32..]) == geometry.StartOf(segment);
    }

    /// <summary>Writes the encoded form; the rest of the room is cleared.</summary>
    public static void Write(Span<byte> room, LogGeometry geometry, long segment)
    {
        room.Clear();
        Magic.CopyTo(room);
        geometry.Identity.TryWriteBytes(room[8..]);
        BinaryPrimitives.WriteInt64LittleEndian(room[24..], segment);
        BinaryPrimitives.WriteUInt64LittleEndian(room[32..], geometry.StartOf(segment));
        BinaryPrimitives.WriteUInt64LittleEndian(room[ChecksumOffset..], XxHash3.HashToUInt64(room[..ChecksumOffset], geometry.Seed));
    }
}
