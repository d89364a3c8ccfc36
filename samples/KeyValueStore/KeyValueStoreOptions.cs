namespace StorageCache.KeyValueStore;

/// <summary>How a store is opened. Immutable; may be used for any number of stores.</summary>
public sealed class KeyValueStoreOptions
{
    /// <summary>The page size of a new store for which none is asked, in bytes.</summary>
    public const int DefaultPageSize = 4096;

    private const long LeastCacheBytes = 2L << 20;
    private const int LeastCachePages = 128;

    /// <summary>Whether the file must exist, may exist or must not. Default: <see cref="MappingMode.OpenOrCreate"/>.</summary>
    /// <remarks>An empty file becomes a new store, except with <see cref="MappingMode.Open"/>.</remarks>
    public MappingMode Mode { get; init; } = MappingMode.OpenOrCreate;

    /// <summary>Refuses every change. The file must exist; <see cref="Mode"/> is then taken as <see cref="MappingMode.Open"/>.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>
    /// Memory limit of the cache that a store makes for itself, in bytes: at least <see cref="LeastCacheSize"/> of its page size. Default: 64 MiB.
    /// Not used when the caller brings the cache.
    /// </summary>
    public long CacheSize { get; init; } = 64L << 20;

    /// <summary>
    /// Page size of the cache that a store makes for itself, in bytes: 4,096 to 65,536, a power of two, or 0 (default): the page size the
    /// file has, 4,096 for a new one. Not used when the caller brings the cache.
    /// </summary>
    public int PageSize { get; init; }

    /// <summary>
    /// With which other files of the cache pages in memory may be shared; a clone is in the domain of its source. Default:
    /// <see cref="SharingDomain.Default"/>, which shares what is one on the device as well, such as clones are, and no content.
    /// </summary>
    public SharingDomain SharingDomain { get; init; } = SharingDomain.Default;

    /// <summary>The least that <see cref="CacheSize"/> may be, in bytes: 2 MiB, or 128 pages if that is more.</summary>
    /// <param name="pageSize">Bytes of a page.</param>
    public static long LeastCacheSize(int pageSize) => Math.Max(LeastCacheBytes, (long)LeastCachePages * pageSize);

    internal void Validate()
    {
        if (!Enum.IsDefined(Mode))
        {
            throw new ArgumentOutOfRangeException(nameof(Mode), Mode, $"The mode is {Mode}; allowed: Open, OpenOrCreate or CreateNew.");
        }

        ArgumentNullException.ThrowIfNull(SharingDomain);
        if (ReadOnly && Mode == MappingMode.CreateNew)
        {
            throw new ArgumentException("ReadOnly is true with the mode CreateNew; allowed: Open or OpenOrCreate.", nameof(ReadOnly));
        }

        if (PageSize != 0 && (PageSize is < 4096 or > 65536 || (PageSize & (PageSize - 1)) != 0))
        {
            throw new ArgumentOutOfRangeException(nameof(PageSize), PageSize, $"The page size is {PageSize}; allowed: 0, or a power of two from 4096 to 65536.");
        }
    }

    /// <summary>Checks the size of the cache, once the page size is known.</summary>
    internal void ValidateCacheSize(int pageSize)
    {
        long least = LeastCacheSize(pageSize);
        if (CacheSize < least)
        {
            throw new ArgumentOutOfRangeException(
                nameof(CacheSize), CacheSize, $"The cache size is {CacheSize}; allowed: at least {least} bytes with pages of {pageSize} bytes.");
        }
    }
}
