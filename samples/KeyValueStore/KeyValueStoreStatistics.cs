namespace StorageCache.KeyValueStore;

/// <summary>What a store holds and what its pages are used for.</summary>
public sealed record KeyValueStoreStatistics
{
    /// <summary>Bytes of a page.</summary>
    public required int PageSize { get; init; }

    /// <summary>Pages of the file: the meta page, leaves, branches, overflow pages and free ones.</summary>
    public required long PageCount { get; init; }

    /// <summary>Levels of the tree; 1 when the root is a leaf.</summary>
    public required int Height { get; init; }

    /// <summary>Keys.</summary>
    public required long Entries { get; init; }

    /// <summary>Bytes of all keys.</summary>
    public required long KeyBytes { get; init; }

    /// <summary>Bytes of all values.</summary>
    public required long ValueBytes { get; init; }

    /// <summary>Pages of level 0.</summary>
    public required long LeafPages { get; init; }

    /// <summary>Pages of level 1 and above.</summary>
    public required long BranchPages { get; init; }

    /// <summary>Pages that carry large values.</summary>
    public required long OverflowPages { get; init; }

    /// <summary>Pages to be used again.</summary>
    public required long FreePages { get; init; }
}
