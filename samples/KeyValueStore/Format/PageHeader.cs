using System.Buffers.Binary;
using StorageCache.KeyValueStore.Integrity;

namespace StorageCache.KeyValueStore.Format;

/// <summary>
/// The 40 bytes at the start of every page but the meta page. All numbers are little-endian.
/// </summary>
/// <remarks>
/// <code>
/// offset  bytes  tree page                    overflow page             free page
///      0      8  checksum of the rest (KV-13) the same                  the same
///      8      1  kind                         kind                      kind (Free, or Overflow: KV-9)
///      9      1  level, 0 = leaf              0                         -
///     10      2  cell count                   0                         -
///     12      4  heap start (byte offset)     payload length (bytes)    -
///     16      8  next leaf, 0 = none          next page, 0 = last       next free page, 0 = last
///     24      8  previous leaf, 0 = none      first page of the value   -
///     32      4  dead bytes in the heap       index in the value        -
///     36      4  0                            0                         -
/// </code>
/// </remarks>
internal static class PageHeader
{
    /// <summary>Bytes taken by the header.</summary>
    public const int Size = 40;

    private const int KindOffset = PageChecksum.Size;
    private const int LevelOffset = 9;
    private const int CountOffset = 10;
    private const int LengthOffset = 12;
    private const int NextOffset = 16;
    private const int BackOffset = 24;
    private const int IndexOffset = 32;

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

    /// <summary>Writes the header of a page on the free list.</summary>
    public static void InitializeFree(Span<byte> page, long next)
    {
        page[..Size].Clear();
        page[KindOffset] = (byte)PageKind.Free;
        SetNext(page, next);
    }
}
