using System.Buffers.Binary;
using System.IO.Hashing;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>The first sector of a log's file. Written once, when everything else of the new log is durable.</summary>
/// <remarks>
/// All numbers are little-endian.
/// <code>
/// offset  bytes
///      0      8  magic "SCKVWLOG"
///      8      4  format version
///     12      4  bytes of a block
///     16     16  identity
///     32      4  bytes of a segment
///     36      4  minimum of segments
///     40      8  first LSN
///     48      8  XXH3 (64 bit, seed 0) of bytes 0 to 47
/// </code>
/// </remarks>
internal sealed record LogHeader
{
    /// <summary>The format this code reads and writes.</summary>
    public const uint CurrentVersion = 1;

    /// <summary>Bytes of the encoded form: a sector, so that it is written whole or not at all.</summary>
    public const int Size = 512;

    /// <summary>Bytes that the header takes in the file; the segments follow.</summary>
    public const int Room = 4096;

    private const int ChecksumOffset = 48;

    public static ReadOnlySpan<byte> Magic => "SCKVWLOG"u8;

    public required Guid Identity { get; init; }

    public required int BlockBytes { get; init; }

    public required int SegmentBytes { get; init; }

    public required int MinimumSegments { get; init; }

    public required ulong FirstLsn { get; init; }

    /// <summary>Reads the header and refuses what this code must not touch.</summary>
    /// <param name="start">The first bytes of the file, as many as there are up to <see cref="Size"/>.</param>
    /// <param name="name">File, for messages.</param>
    /// <param name="identity">Whose log it must be.</param>
    /// <param name="alignment">Of the device, in bytes.</param>
    /// <param name="length">Of the device, in bytes.</param>
    /// <exception cref="LogFormatException">It is not that log.</exception>
    public static LogHeader Read(ReadOnlySpan<byte> start, string name, Guid identity, int alignment, long length)
    {
        if (!start.ContainsAnyExcept((byte)0))
        {
            throw new LogFormatException(name, LogDefect.Unfinished, start.IsEmpty ? "it is empty" : "it was never finished: its first sector is empty");
        }

        if (!start.StartsWith(Magic))
        {
            throw new LogFormatException(name, LogDefect.NotALog, "it is no log: its first bytes are not 'SCKVWLOG'");
        }

        if (start.Length < Size)
        {
            throw new LogFormatException(name, LogDefect.CutOff, $"it was cut off: it has {length} bytes, and its header alone has {Room}");
        }

        uint version = BinaryPrimitives.ReadUInt32LittleEndian(start[8..]);
        if (version != CurrentVersion)
        {
            throw new LogFormatException(name, LogDefect.OtherVersion, $"its format version is {version}; this code reads version {CurrentVersion} only");
        }

        LogHeader header = new()
        {
            BlockBytes = BinaryPrimitives.ReadInt32LittleEndian(start[12..]),
            Identity = new Guid(start.Slice(16, 16)),
            SegmentBytes = BinaryPrimitives.ReadInt32LittleEndian(start[32..]),
            MinimumSegments = BinaryPrimitives.ReadInt32LittleEndian(start[36..]),
            FirstLsn = BinaryPrimitives.ReadUInt64LittleEndian(start[40..]),
        };
        if (BinaryPrimitives.ReadUInt64LittleEndian(start[ChecksumOffset..]) != XxHash3.HashToUInt64(start[..ChecksumOffset]) || !header.IsPossible())
        {
            throw new LogFormatException(name, LogDefect.Damaged, "the checksum of its header is wrong");
        }

        if (header.Identity != identity)
        {
            throw new LogFormatException(name, LogDefect.Foreign, $"it is another store's: its identity is {header.Identity}, not {identity}");
        }

        if (alignment > header.BlockBytes)
        {
            throw new LogFormatException(
                name, LogDefect.Alignment, $"its blocks have {header.BlockBytes} bytes, and its device transfers {alignment} bytes at the least; copy it to another device");
        }

        header.RequireLength(name, length, header.MinimumSegments);
        return header;
    }

    /// <summary>Refuses a file that is shorter than so many segments.</summary>
    /// <exception cref="LogFormatException">It is.</exception>
    public void RequireLength(string name, long length, long segments)
    {
        long least = Room + (segments * SegmentBytes);
        if (length < least)
        {
            throw new LogFormatException(name, LogDefect.CutOff, $"it was cut off: it has {length} bytes, and had at least {least} ({segments} segments)");
        }
    }

    /// <summary>Writes the encoded form.</summary>
    public void Write(Span<byte> sector)
    {
        sector[..Size].Clear();
        Magic.CopyTo(sector);
        BinaryPrimitives.WriteUInt32LittleEndian(sector[8..], CurrentVersion);
        BinaryPrimitives.WriteInt32LittleEndian(sector[12..], BlockBytes);
        Identity.TryWriteBytes(sector[16..]);
        BinaryPrimitives.WriteInt32LittleEndian(sector[32..], SegmentBytes);
        BinaryPrimitives.WriteInt32LittleEndian(sector[36..], MinimumSegments);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[40..], FirstLsn);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[ChecksumOffset..], XxHash3.HashToUInt64(sector[..ChecksumOffset]));
    }

    private bool IsPossible() =>
        BlockBytes is 512 or 1024 or 2048 or 4096
        && SegmentBytes is >= LogOptions.LeastSegmentBytes and <= LogOptions.GreatestSegmentBytes && SegmentBytes % Room == 0
        && MinimumSegments >= 1 && FirstLsn > 0 && FirstLsn % Room == 0;
}
