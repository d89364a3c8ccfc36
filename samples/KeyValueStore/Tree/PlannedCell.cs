using System.Buffers.Binary;
using StorageCache.KeyValueStore.Format;

namespace StorageCache.KeyValueStore.Tree;

/// <summary>A cell on its way to a page, as views of copies that the plan owns.</summary>
internal readonly record struct PlannedCell(ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Payload, bool IsOverflow)
{
    public int Footprint => TreeCell.FootprintOf(Key.Length, Payload.Length);

    public long Child => BinaryPrimitives.ReadInt64LittleEndian(Payload.Span);

    /// <summary>A branch cell.</summary>
    public static PlannedCell ForChild(ReadOnlyMemory<byte> separator, long child)
    {
        byte[] payload = new byte[TreeCell.ChildSize];
        BinaryPrimitives.WriteInt64LittleEndian(payload, child);
        return new PlannedCell(separator, payload, false);
    }
}
