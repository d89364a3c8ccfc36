using System.Buffers.Binary;
using System.IO.Hashing;

namespace StorageCache.KeyValueStore.Format;

/// <summary>The contents of page 0: where redo begins, and what the store held there. Written by checkpoints only.</summary>
/// <remarks>
/// Everything is in the first 128 bytes, less than any device's sector, so that the page is written whole or not at all and
/// can be read by a cache of any page size. All numbers are little-endian.
/// <code>
/// offset  bytes
///      0      8  magic "SCKVTREE"
///      8      4  format version
///     12      4  page size (bytes)
///     16      4  state: 1 = clean, 2 = in flux
///     20      4  0
///     24     16  identity of the store's log
///     40      8  redo point: the LSN at which redo begins
///     48      8  number of the checkpoint
///     56     64  contents at the redo point (<see cref="StoreContents"/>)
///    120      8  XXH3 (64 bit, seed 0) of bytes 0 to 119
/// </code>
/// </remarks>
internal sealed record MetaPage
{
    /// <summary>The page this is.</summary>
    public const long PageNumber = 0;

    /// <summary>The root's page; it never moves, so readers need no look-up and no latch to find it.</summary>
    public const long RootPage = 1;

    /// <summary>The format this code reads and writes.</summary>
    public const uint CurrentVersion = 3;

    /// <summary>Bytes of the encoded form.</summary>
    public const int Size = 128;

    private const int ChecksumOffset = 120;

    public static ReadOnlySpan<byte> Magic => "SCKVTREE"u8;

    public required int PageSize { get; init; }

    public required StoreState State { get; init; }

    /// <summary>Tells the log that belongs to this file from every other one.</summary>
    public required Guid LogIdentity { get; init; }

    /// <summary>Every change with a lower LSN is in the pages on the device.</summary>
    public required ulong RedoPoint { get; init; }

    /// <summary>How many checkpoints there were.</summary>
    public required ulong Checkpoint { get; init; }

    public required StoreContents Contents { get; init; }

    /// <summary>Reads the page size out of the start of a file. False when it is no store or says no possible page size.</summary>
    public static bool TryReadPageSize(ReadOnlySpan<byte> start, out int pageSize)
    {
        pageSize = 0;
        if (start.Length < 16 || !start.StartsWith(Magic))
        {
            return false;
        }

        pageSize = BinaryPrimitives.ReadInt32LittleEndian(start[12..]);
        return pageSize is >= 4096 and <= 65536 && (pageSize & (pageSize - 1)) == 0;
    }

    /// <summary>Whether the checksum is that of the bytes before it.</summary>
    public static bool HasChecksum(ReadOnlySpan<byte> page) =>
        BinaryPrimitives.ReadUInt64LittleEndian(page[ChecksumOffset..]) == XxHash3.HashToUInt64(page[..ChecksumOffset]);

    /// <summary>Reads the meta page and refuses whatever this code must not touch.</summary>
    /// <param name="page">Bytes of page 0, at least <see cref="Size"/>.</param>
    /// <param name="path">File, for messages.</param>
    /// <param name="pageSize">Page size of the cache, in bytes.</param>
    /// <exception cref="StoreFormatException">Not a store, another version, or another page size.</exception>
    /// <exception cref="CorruptStoreException">The checksum is wrong, or the counts contradict each other.</exception>
    public static MetaPage Read(ReadOnlySpan<byte> page, string path, int pageSize)
    {
        if (!page.StartsWith(Magic))
        {
            throw new StoreFormatException(path, "it is not a key-value store: its first bytes are not 'SCKVTREE'");
        }

        uint version = BinaryPrimitives.ReadUInt32LittleEndian(page[8..]);
        if (version != CurrentVersion)
        {
            throw new StoreFormatException(
                path, $"its format version is {version}; this code reads version {CurrentVersion} only, so read it with what wrote it and put its entries into a new store");
        }

        if (!HasChecksum(page))
        {
            throw new CorruptStoreException(path, PageNumber, "the meta page's checksum is wrong");
        }

        int storedPageSize = BinaryPrimitives.ReadInt32LittleEndian(page[12..]);
        if (storedPageSize != pageSize)
        {
            throw new StoreFormatException(path, $"its pages have {storedPageSize} bytes, the cache's have {pageSize}");
        }

        StoreState state = (StoreState)BinaryPrimitives.ReadUInt32LittleEndian(page[16..]);
        if (!Enum.IsDefined(state))
        {
            throw new CorruptStoreException(path, PageNumber, $"the state is {(uint)state}, not 1 (clean) or 2 (in flux)");
        }

        if (!StoreContents.TryRead(page[56..], out StoreContents contents))
        {
            throw new CorruptStoreException(path, PageNumber, "the meta page's counts contradict each other");
        }

        return new MetaPage
        {
            PageSize = storedPageSize,
            State = state,
            LogIdentity = new Guid(page.Slice(24, 16)),
            RedoPoint = BinaryPrimitives.ReadUInt64LittleEndian(page[40..]),
            Checkpoint = BinaryPrimitives.ReadUInt64LittleEndian(page[48..]),
            Contents = contents,
        };
    }

    /// <summary>Writes the encoded form; the rest of the page is cleared.</summary>
    public void Write(Span<byte> page)
    {
        page.Clear();
        Magic.CopyTo(page);
        BinaryPrimitives.WriteUInt32LittleEndian(page[8..], CurrentVersion);
        BinaryPrimitives.WriteInt32LittleEndian(page[12..], PageSize);
        BinaryPrimitives.WriteUInt32LittleEndian(page[16..], (uint)State);
        LogIdentity.TryWriteBytes(page[24..]);
        BinaryPrimitives.WriteUInt64LittleEndian(page[40..], RedoPoint);
        BinaryPrimitives.WriteUInt64LittleEndian(page[48..], Checkpoint);
        Contents.Write(page[56..]);
        BinaryPrimitives.WriteUInt64LittleEndian(page[ChecksumOffset..], XxHash3.HashToUInt64(page[..ChecksumOffset]));
    }
}
