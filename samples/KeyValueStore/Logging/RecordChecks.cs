using System.IO.Hashing;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>What a record can be like.</summary>
internal static class RecordChecks
{
    /// <summary>Whether a record with such a header can have been written.</summary>
    public static bool IsPossible(RecordHeader header, LogGeometry geometry) => header.Kind switch
    {
        < LogKind.FirstOwn => header.PayloadBytes <= RecordHeader.GreatestPayload,
        LogKind.Epoch => header.PayloadBytes == RecordHeader.EpochPayload,
        LogKind.Seal => header.PayloadBytes + RecordHeader.Size == geometry.SealBytesAt(header.Start),
        _ => false,
    };

    /// <summary>Whether bytes are a whole record of the log's own that belongs at an LSN.</summary>
    public static bool IsOwn(ReadOnlySpan<byte> record, ulong lsn, LogGeometry geometry)
    {
        RecordHeader header = RecordHeader.Read(record);
        return header.Start == lsn
            && header.Kind >= LogKind.FirstOwn
            && IsPossible(header, geometry)
            && geometry.RecordBytes(lsn, header.Kind, header.PayloadBytes) <= record.Length
            && header.Checksum == Checksum(record[..(int)geometry.RecordBytes(lsn, header.Kind, header.PayloadBytes)], geometry);
    }

    private static ulong Checksum(ReadOnlySpan<byte> record, LogGeometry geometry) =>
        XxHash3.HashToUInt64(record[RecordHeader.ChecksumBytes..], geometry.Seed);
}
