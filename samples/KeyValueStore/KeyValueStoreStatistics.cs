namespace StorageCache.KeyValueStore;

/// <summary>What a store holds and what its pages are used for.</summary>
public sealed record KeyValueStoreStatistics
{
    /// <summary>Bytes of a page.</summary>
    public required int PageSize { get; init; }

    /// <summary>Pages of the file: the meta page, leaves, branches, overflow pages, map pages and free ones.</summary>
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

    /// <summary>Pages that say which pages are in use.</summary>
    public required long MapPages { get; init; }

    /// <summary>Pages to be used again.</summary>
    public required long FreePages { get; init; }

    /// <summary>Bytes of log that would have to be read after a crash.</summary>
    public required long LogBytes { get; init; }

    /// <summary>Flushes of the log since the store was opened.</summary>
    public required long LogFlushes { get; init; }

    /// <summary>Changes, and others who waited for the log, that these flushes have made durable.</summary>
    public required long LogCommits { get; init; }

    /// <summary>Checkpoints since the store was opened.</summary>
    public required long Checkpoints { get; init; }
}
