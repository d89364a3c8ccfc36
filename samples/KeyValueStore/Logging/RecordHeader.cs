using System.Buffers.Binary;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>What precedes the payload of a record.</summary>
/// <param name="Checksum">XXH3 (64 bit, seeded by the log's identity) of everything of the record that follows it, padding included.</param>
/// <param name="Previous">Checksum of the record before: the chain.</param>
/// <param name="Start">LSN at which the record begins.</param>
/// <param name="PayloadBytes">Bytes of the payload.</param>
/// <param name="Kind">See <see cref="LogKind"/>.</param>
/// <remarks>
/// All numbers are little-endian.
/// <code>
/// offset  bytes
///      0      8  checksum
///      8      8  checksum of the record before
///     16      8  LSN at which the record begins
///     24      4  bytes of the payload
///     28      1  kind
///     29      3  0
///     32         payload, zeros up to a multiple of 8, and 8 more where the record would end with a block
/// </code>
/// </remarks>
internal readonly record struct RecordHeader(ulong Checksum, ulong Previous, ulong Start, uint PayloadBytes, byte Kind)
{
    /// <summary>Bytes.</summary>
    public const int Size = 32;

    /// <summary>Bytes of the checksum, which does not cover itself.</summary>
    public const int ChecksumBytes = 8;

    /// <summary>Bytes of an epoch's payload: the durable LSN and the epoch.</summary>
    public const int EpochPayload = 16;

    /// <summary>The least bytes of a seal: header, durable LSN, segments.</summary>
    public const int LeastSealBytes = Size + 16;

    /// <summary>The most bytes of a payload.</summary>
    public const int GreatestPayload = LogOptions.GreatestReservation - Size - 16;

    public static RecordHeader Read(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]),
        bytes[28]);

    /// <summary>Writes all but the checksum.</summary>
    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, 0);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], Previous);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], Start);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[24..], PayloadBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[28..], Kind);
    }
}
