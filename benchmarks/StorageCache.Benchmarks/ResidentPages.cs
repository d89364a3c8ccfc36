using StorageCache.Workloads.Devices;

namespace StorageCache.Benchmarks;

/// <summary>A cache over a device without storage, with a few pages that are resident before anything is measured.</summary>
internal sealed class ResidentPages : IDisposable
{
    /// <summary>Page size in bytes.</summary>
    public const int PageSize = 4096;

    private const int BytesPerPage = PageSize + 512; // room for what the cache keeps beside a page
    private const long MetadataRoom = 32L << 20;

    /// <summary>Loads the pages.</summary>
    /// <param name="pageCount">How many.</param>
    /// <param name="device">What they are loaded from, or null for a <see cref="StampedDevice"/>.</param>
    public ResidentPages(int pageCount, StorageCache.IO.IBlockDevice? device = null)
    {
        Cache = new PageCache(new PageCacheOptions
        {
            MemoryLimit = ((long)pageCount * BytesPerPage) + MetadataRoom,
            PageSize = PageSize,
            AllowSynchronousContinuations = true,
        });
        device ??= new StampedDevice((long)pageCount * PageSize, PageSize);
        Mapping = Cache.OpenAsync(device).AsTask().GetAwaiter().GetResult();
        for (int page = 0; page < pageCount; page++)
        {
            Mapping.Read(page).Dispose();
        }
    }

    /// <summary>The cache.</summary>
    public PageCache Cache { get; }

    /// <summary>The one mapping.</summary>
    public Mapping Mapping { get; }

    /// <summary>Drops everything; nothing is flushed.</summary>
    public void Dispose() => Cache.Dispose();
}
