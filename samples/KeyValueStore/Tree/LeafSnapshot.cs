namespace StorageCache.KeyValueStore.Tree;

/// <summary>A private copy of one leaf, with the range of keys that belongs to it. One scan reuses it for all its leaves.</summary>
internal sealed class LeafSnapshot(int pageSize)
{
    /// <summary>The leaf's bytes.</summary>
    public byte[] Bytes { get; } = new byte[pageSize];

    public Fences Fences { get; } = new();

    /// <summary>Which leaf it is, for messages.</summary>
    public long Page { get; set; }
}
