using System.Buffers.Binary;
using StorageCache.KeyValueStore.Integrity;

namespace StorageCache.KeyValueStore.Format;

/// <summary>
/// The 48 bytes at the start of every page but the meta page. All numbers are little-endian.
/// </summary>
/// <remarks>
/// <code>
/// offset  bytes  tree page                    overflow page             map page
///      0      8  checksum of the rest (KV-13) the same                  the same
///      8      8  LSN of its last change       the same                  the same
///     16      1  kind                         kind                      kind
///     17      1  level, 0 = leaf              0                         0
///     18      2  cell count                   0                         0
///     20      4  heap start (byte offset)     payload length (bytes)    0
///     24      8  next leaf, 0 = none          next page, 0 = last       0
///     32      8  previous leaf, 0 = none      first page of the value   first page it maps
///     40      4  dead bytes in the heap       index in the value        0
///     44      4  0                            0                         0
/// </code>
/// What a free page holds means nothing (KV-9).
/// </remarks>
internal static class PageHeader
{
    /// <summary>Bytes taken by the header.</summary>
    public const int Size = 48;

    /// <summary>Where what a log record says of a page begins: the checksum and the LSN before it follow from the record.</summary>
    public const int LoggedOffset = LsnOffset + sizeof(ulong);

    private const int LsnOffset = PageChecksum.Size;

    private const int KindOffset = 16;
    private const int LevelOffset = 17;
    private const int CountOffset = 18;
    private const int LengthOffset = 20;
    private const int NextOffset = 24;
    private const int BackOffset = 32;
    private const int IndexOffset = 40;

    /// <summary>LSN of the commit, or of the piece of a value, that wrote the page last; 0 for one that was never logged.</summary>
    public static ulong Lsn(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadUInt64LittleEndian(page[LsnOffset..]);

    public static PageKind Kind(ReadOnlySpan<byte> page) => (PageKind)page[KindOffset];

    public static int Level(ReadOnlySpan<byte> page) => page[LevelOffset];

    public static int Count(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadUInt16LittleEndian(page[CountOffset..]);

    public static int HeapStart(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadInt32LittleEndian(page[LengthOffset..]);

    public static long Next(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadInt64LittleEndian(page[NextOffset..]);

    public static long Previous(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadInt64LittleEndian(page[BackOffset..]);

    public static int DeadBytes(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadInt32LittleEndian(page[IndexOffset..]);

    public static int PayloadLength(ReadOnlySpan<byte> page) => HeapStart(page);

    public static long FirstPage(ReadOnlySpan<byte> page) => Previous(page);

    public static int ChainIndex(ReadOnlySpan<byte> page) => DeadBytes(page);

    /// <summary>Whether a page is the piece of a value that it should be.</summary>
    public static bool IsPiece(ReadOnlySpan<byte> page, long firstPage, int index, int length) =>
        Kind(page) == PageKind.Overflow && FirstPage(page) == firstPage && ChainIndex(page) == index && PayloadLength(page) == length;

    public static void SetLsn(Span<byte> page, ulong lsn) => BinaryPrimitives.WriteUInt64LittleEndian(page[LsnOffset..], lsn);

    public static void SetCount(Span<byte> page, int count) => BinaryPrimitives.WriteUInt16LittleEndian(page[CountOffset..], checked((ushort)count));

    public static void SetHeapStart(Span<byte> page, int offset) => BinaryPrimitives.WriteInt32LittleEndian(page[LengthOffset..], offset);

    public static void SetNext(Span<byte> page, long next) => BinaryPrimitives.WriteInt64LittleEndian(page[NextOffset..], next);

    public static void SetPrevious(Span<byte> page, long previous) => BinaryPrimitives.WriteInt64LittleEndian(page[BackOffset..], previous);

    public static void SetDeadBytes(Span<byte> page, int bytes) => BinaryPrimitives.WriteInt32LittleEndian(page[IndexOffset..], bytes);

    public static void SetPayloadLength(Span<byte> page, int length) => SetHeapStart(page, length);

    /// <summary>Writes the header of an empty tree page; the rest of the page is left as it is.</summary>
    public static void InitializeTree(Span<byte> page, int level, long next, long previous)
    {
        page[..Size].Clear();
        page[KindOffset] = (byte)(level == 0 ? PageKind.Leaf : PageKind.Branch);
        page[LevelOffset] = checked((byte)level);
        SetHeapStart(page, page.Length);
        SetNext(page, next);
        SetPrevious(page, previous);
    }

    /// <summary>Writes the header of an overflow page without a payload yet.</summary>
    public static void InitializeOverflow(Span<byte> page, long firstPage, int index)
    {
        page[..Size].Clear();
        page[KindOffset] = (byte)PageKind.Overflow;
        SetPrevious(page, firstPage);
        SetDeadBytes(page, index);
    }

    /// <summary>Writes the header of a map page.</summary>
    public static void InitializeMap(Span<byte> page, long firstMapped)
    {
        page[..Size].Clear();
        page[KindOffset] = (byte)PageKind.Map;
        SetPrevious(page, firstMapped);
    }
}
