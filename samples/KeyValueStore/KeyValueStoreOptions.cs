namespace StorageCache.KeyValueStore;

/// <summary>How a store is opened. Immutable; may be used for any number of stores.</summary>
public sealed class KeyValueStoreOptions
{
    /// <summary>Whether the file must exist, may exist or must not. Default: <see cref="MappingMode.OpenOrCreate"/>.</summary>
    /// <remarks>An empty file becomes a new store, except with <see cref="MappingMode.Open"/>.</remarks>
    public MappingMode Mode { get; init; } = MappingMode.OpenOrCreate;

    /// <summary>Refuses every change. The file must exist; <see cref="Mode"/> is then taken as <see cref="MappingMode.Open"/>.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>
    /// Memory limit of the cache that a store makes for itself, in bytes: at least 2 MiB, and 66 pages with what the
    /// cache needs to keep track of them. Default: 64 MiB.
    /// Not used when the caller brings the cache.
    /// </summary>
    public long CacheSize { get; init; } = 64L << 20;

    /// <summary>
    /// Page size of the cache that a store makes for itself, in bytes: 4,096 to 65,536, a power of two, or 0 (default): the page size the
    /// file has, 4,096 for a new one. Not used when the caller brings the cache.
    /// </summary>
    public int PageSize { get; init; }

    internal void Validate()
    {
        if (!Enum.IsDefined(Mode))
        {
            throw new ArgumentOutOfRangeException(nameof(Mode), Mode, "The mode is Open, OpenOrCreate or CreateNew.");
        }

        if (ReadOnly && Mode == MappingMode.CreateNew)
        {
            throw new ArgumentException("A new store cannot be opened for reading only.", nameof(ReadOnly));
        }

        if (CacheSize < 2L << 20)
        {
            throw new ArgumentOutOfRangeException(nameof(CacheSize), CacheSize, "The cache has at least 2097152 bytes.");
        }

        if (PageSize != 0 && (PageSize is < 4096 or > 65536 || (PageSize & (PageSize - 1)) != 0))
        {
            throw new ArgumentOutOfRangeException(nameof(PageSize), PageSize, "The page size is 0 or a power of two from 4096 to 65536.");
        }
    }
}
