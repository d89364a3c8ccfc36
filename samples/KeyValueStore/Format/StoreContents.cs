using System.Buffers.Binary;

namespace StorageCache.KeyValueStore.Format;

/// <summary>What a store consists of after a commit: in every commit's log record, and in the meta page as of its redo point.</summary>
/// <param name="PageCount">Pages of the file, page 0 included. It never shrinks.</param>
/// <param name="Counts">What the tree holds.</param>
internal readonly record struct StoreContents(long PageCount, TreeCounts Counts)
{
    /// <summary>Bytes of the encoded form.</summary>
    public const int Size = 64;

    /// <summary>An empty store: the meta page, the root and a map page.</summary>
    public static StoreContents Empty => new(
        MapLayout.FirstMapPage + 1,
        new TreeCounts(Height: 1, Entries: 0, LeafPages: 1, BranchPages: 0, OverflowPages: 0, KeyBytes: 0, ValueBytes: 0));

    /// <summary>Reads the encoded form. False when the numbers cannot be those of a store.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out StoreContents contents)
    {
        contents = new StoreContents(
            BinaryPrimitives.ReadInt64LittleEndian(bytes),
            new TreeCounts(
                Height: BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]),
                Entries: BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]),
                LeafPages: BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]),
                BranchPages: BinaryPrimitives.ReadInt64LittleEndian(bytes[32..]),
                OverflowPages: BinaryPrimitives.ReadInt64LittleEndian(bytes[40..]),
                KeyBytes: BinaryPrimitives.ReadInt64LittleEndian(bytes[48..]),
                ValueBytes: BinaryPrimitives.ReadInt64LittleEndian(bytes[56..])));
        return contents.IsPlausible;
    }

    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteInt64LittleEndian(bytes, PageCount);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[8..], Counts.Height);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[16..], Counts.Entries);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[24..], Counts.LeafPages);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[32..], Counts.BranchPages);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[40..], Counts.OverflowPages);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[48..], Counts.KeyBytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[56..], Counts.ValueBytes);
    }

    // Each is less than the number of pages before they are added, so that no sum can overflow.
    private bool IsPlausible =>
        PageCount > MapLayout.FirstMapPage
        && Counts.Height is >= 1 and <= 64
        && Counts is { LeafPages: >= 1, BranchPages: >= 0, OverflowPages: >= 0, Entries: >= 0, KeyBytes: >= 0, ValueBytes: >= 0 }
        && Math.Max(Counts.LeafPages, Math.Max(Counts.BranchPages, Counts.OverflowPages)) < PageCount
        && Counts.LeafPages + Counts.BranchPages + Counts.OverflowPages < PageCount;
}
