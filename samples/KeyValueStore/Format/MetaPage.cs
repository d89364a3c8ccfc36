using System.Buffers.Binary;
using System.IO.Hashing;

namespace StorageCache.KeyValueStore.Format;

/// <summary>The contents of page 0.</summary>
/// <remarks>
/// Everything is in the first 120 bytes, less than any device's sector, so that the page is written whole or not at all and
/// can be read by a cache of any page size. All numbers are little-endian.
/// <code>
/// offset  bytes
///      0      8  magic "SCKVTREE"
///      8      4  format version
///     12      4  page size (bytes)
///     16      4  state: 1 = clean, 2 = in flux
///     20      4  height of the tree (levels, 1 = the root is a leaf)
///     24      8  page count, page 0 included
///     32      8  root page
///     40      8  first page of the free list, 0 = none
///     48      8  free pages
///     56      8  entries
///     64      8  leaf pages
///     72      8  branch pages
///     80      8  overflow pages
///     88      8  bytes of all keys
///     96      8  bytes of all values
///    104      8  flush sequence number
///    112      8  XXH3 (64 bit, seed 0) of bytes 0 to 111
/// </code>
/// </remarks>
internal sealed record MetaPage
{
    /// <summary>The page this is.</summary>
    public const long PageNumber = 0;

    /// <summary>The root's page; it never moves, so readers need no look-up and no latch to find it.</summary>
    public const long RootPage = 1;

    /// <summary>The format this code reads and writes.</summary>
    public const uint CurrentVersion = 2;

    /// <summary>Bytes of the encoded form.</summary>
    public const int Size = 120;

    private const int ChecksumOffset = 112;

    public static ReadOnlySpan<byte> Magic => "SCKVTREE"u8;

    public required int PageSize { get; init; }

    public required StoreState State { get; init; }

    public required long PageCount { get; init; }

    public required long FreeHead { get; init; }

    public required long FreePages { get; init; }

    public required TreeCounts Counts { get; init; }

    public required ulong FlushSequence { get; init; }

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
    /// <param name="fileLength">Length of the file, in bytes.</param>
    /// <exception cref="StoreFormatException">Not a store, another version, or another page size.</exception>
    /// <exception cref="StoreNotCleanException">The store was cut off between two flushes.</exception>
    /// <exception cref="CorruptStoreException">The checksum is wrong, the file is too short or too long, or the counts contradict each other.</exception>
    public static MetaPage Read(ReadOnlySpan<byte> page, string path, int pageSize, long fileLength)
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
        if (state == StoreState.InFlux)
        {
            throw new StoreNotCleanException(path);
        }

        MetaPage meta = new()
        {
            PageSize = storedPageSize,
            State = state,
            PageCount = BinaryPrimitives.ReadInt64LittleEndian(page[24..]),
            FreeHead = BinaryPrimitives.ReadInt64LittleEndian(page[40..]),
            FreePages = BinaryPrimitives.ReadInt64LittleEndian(page[48..]),
            Counts = new TreeCounts(
                Height: BinaryPrimitives.ReadInt32LittleEndian(page[20..]),
                Entries: BinaryPrimitives.ReadInt64LittleEndian(page[56..]),
                LeafPages: BinaryPrimitives.ReadInt64LittleEndian(page[64..]),
                BranchPages: BinaryPrimitives.ReadInt64LittleEndian(page[72..]),
                OverflowPages: BinaryPrimitives.ReadInt64LittleEndian(page[80..]),
                KeyBytes: BinaryPrimitives.ReadInt64LittleEndian(page[88..]),
                ValueBytes: BinaryPrimitives.ReadInt64LittleEndian(page[96..])),
            FlushSequence = BinaryPrimitives.ReadUInt64LittleEndian(page[104..]),
        };
        meta.Verify(path, BinaryPrimitives.ReadInt64LittleEndian(page[32..]), fileLength);
        return meta;
    }

    /// <summary>Writes the encoded form; the rest of the page is cleared.</summary>
    public void Write(Span<byte> page)
    {
        page.Clear();
        Magic.CopyTo(page);
        BinaryPrimitives.WriteUInt32LittleEndian(page[8..], CurrentVersion);
        BinaryPrimitives.WriteInt32LittleEndian(page[12..], PageSize);
        BinaryPrimitives.WriteUInt32LittleEndian(page[16..], (uint)State);
        BinaryPrimitives.WriteInt32LittleEndian(page[20..], Counts.Height);
        BinaryPrimitives.WriteInt64LittleEndian(page[24..], PageCount);
        BinaryPrimitives.WriteInt64LittleEndian(page[32..], RootPage);
        BinaryPrimitives.WriteInt64LittleEndian(page[40..], FreeHead);
        BinaryPrimitives.WriteInt64LittleEndian(page[48..], FreePages);
        BinaryPrimitives.WriteInt64LittleEndian(page[56..], Counts.Entries);
        BinaryPrimitives.WriteInt64LittleEndian(page[64..], Counts.LeafPages);
        BinaryPrimitives.WriteInt64LittleEndian(page[72..], Counts.BranchPages);
        BinaryPrimitives.WriteInt64LittleEndian(page[80..], Counts.OverflowPages);
        BinaryPrimitives.WriteInt64LittleEndian(page[88..], Counts.KeyBytes);
        BinaryPrimitives.WriteInt64LittleEndian(page[96..], Counts.ValueBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(page[104..], FlushSequence);
        BinaryPrimitives.WriteUInt64LittleEndian(page[ChecksumOffset..], XxHash3.HashToUInt64(page[..ChecksumOffset]));
    }

    private void Verify(string path, long root, long fileLength)
    {
        if (State != StoreState.Clean)
        {
            throw new CorruptStoreException(path, PageNumber, $"the state is {(uint)State}, not 1 (clean) or 2 (in flux)");
        }

        if (root != RootPage)
        {
            throw new CorruptStoreException(path, PageNumber, $"the root is page {root}, not {RootPage}");
        }

        if (PageCount < 2 || fileLength % PageSize != 0 || fileLength / PageSize != PageCount)
        {
            throw new CorruptStoreException(
                path, PageNumber, $"the file has {fileLength} bytes, the meta page says {PageCount} pages of {PageSize} bytes: it was cut off or added to");
        }

        // Each is at most the number of pages before they are added, so that no sum can overflow.
        bool consistent = Counts.Height is >= 1 and <= 64
            && Counts is { LeafPages: >= 1, BranchPages: >= 0, OverflowPages: >= 0, Entries: >= 0, KeyBytes: >= 0, ValueBytes: >= 0 }
            && FreePages >= 0 && FreeHead >= 0 && FreeHead < PageCount && FreeHead != RootPage && (FreeHead == 0) == (FreePages == 0)
            && Math.Max(Math.Max(Counts.LeafPages, Counts.BranchPages), Math.Max(Counts.OverflowPages, FreePages)) < PageCount
            && 1 + Counts.LeafPages + Counts.BranchPages + Counts.OverflowPages + FreePages == PageCount;
        if (!consistent)
        {
            throw new CorruptStoreException(path, PageNumber, "the meta page's counts contradict each other");
        }
    }
}
