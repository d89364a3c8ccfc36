using System.IO.Hashing;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>How the endless stream of a log lies in segments, and these in the slots of its file. Immutable.</summary>
internal sealed class LogGeometry
{
    public LogGeometry(LogHeader header)
    {
        Identity = header.Identity;
        BlockBytes = header.BlockBytes;
        SegmentBytes = header.SegmentBytes;
        FirstLsn = header.FirstLsn;
        Span<byte> identity = stackalloc byte[16];
        Identity.TryWriteBytes(identity);
        Seed = (long)XxHash3.HashToUInt64(identity);
    }

    public Guid Identity { get; }

    /// <summary>Batches begin and end at multiples of it.</summary>
    public int BlockBytes { get; }

    /// <summary>Bytes of a slot.</summary>
    public int SegmentBytes { get; }

    /// <summary>Bytes of the stream in a slot.</summary>
    public int SegmentData => SegmentBytes - SegmentHeader.Room;

    public ulong FirstLsn { get; }

    /// <summary>Of all checksums but the file header's, so that no other log's bytes have a right one.</summary>
    public long Seed { get; }

    /// <summary>What the first record of all has for the checksum of the record before it.</summary>
    public ulong FirstChain => (ulong)Seed;

    /// <summary>The most bytes that a seal takes.</summary>
    public int SealBytes => BlockBytes + RecordHeader.LeastSealBytes;

    /// <summary>Number of the segment that has an LSN.</summary>
    public long SegmentOf(ulong lsn) => (long)((lsn - FirstLsn) / (ulong)SegmentData);

    /// <summary>LSN at which a segment begins.</summary>
    public ulong StartOf(long segment) => FirstLsn + ((ulong)segment * (ulong)SegmentData);

    /// <summary>Where a slot begins in the file.</summary>
    public long SlotOffset(int slot) => LogHeader.Room + ((long)slot * SegmentBytes);

    /// <summary>Where an LSN lies in the file, if its segment is in a slot.</summary>
    public long OffsetOf(int slot, ulong lsn) => SlotOffset(slot) + SegmentHeader.Room + (long)((lsn - FirstLsn) % (ulong)SegmentData);

    /// <summary>Bytes of the file with so many slots.</summary>
    public long LengthOf(int slots) => SlotOffset(slots);

    /// <summary>Whether a batch can begin or end at an LSN.</summary>
    public bool IsBlockStart(ulong lsn) => lsn % (ulong)BlockBytes == 0;

    /// <summary>Bytes that a record takes which begins at an LSN. Nothing but a seal ends where a block ends (LOG-4).</summary>
    public long RecordBytes(ulong start, byte kind, long payloadBytes)
    {
        long bytes = (RecordHeader.Size + payloadBytes + 7) & ~7L;
        return kind != LogKind.Seal && IsBlockStart(start + (ulong)bytes) ? bytes + 8 : bytes;
    }

    /// <summary>Bytes that a seal takes which begins at an LSN.</summary>
    public int SealBytesAt(ulong start)
    {
        int rest = BlockBytes - (int)(start % (ulong)BlockBytes);
        return rest < RecordHeader.LeastSealBytes ? rest + BlockBytes : rest;
    }
}
