using System.Buffers.Binary;

namespace StorageCache.KeyValueStore.Format;

/// <summary>The bits of a map page (see <see cref="MapLayout"/>).</summary>
internal static class MapPage
{
    /// <summary>Makes an empty map page: no page of the group is in use.</summary>
    public static void Initialize(Span<byte> page, long firstMapped)
    {
        page.Clear();
        PageHeader.InitializeMap(page, firstMapped);
    }

    /// <summary>Whether a page is the map of a group.</summary>
    public static bool IsMapOf(ReadOnlySpan<byte> page, long firstMapped) => PageHeader.Kind(page) == PageKind.Map && PageHeader.Previous(page) == firstMapped;

    /// <summary>The bits of 64 pages.</summary>
    public static ulong Word(ReadOnlySpan<byte> page, int index) => BinaryPrimitives.ReadUInt64LittleEndian(page[(PageHeader.Size + (index * sizeof(ulong)))..]);

    /// <summary>Whether a page of the group is in use.</summary>
    public static bool IsUsed(ReadOnlySpan<byte> page, int index) => (page[PageHeader.Size + (index >> 3)] & (1 << (index & 7))) != 0;

    /// <summary>Says whether a page of the group is in use.</summary>
    public static void SetUsed(Span<byte> page, int index, bool isUsed)
    {
        ref byte bits = ref page[PageHeader.Size + (index >> 3)];
        byte bit = (byte)(1 << (index & 7));
        bits = isUsed ? (byte)(bits | bit) : (byte)(bits & ~bit);
    }
}
