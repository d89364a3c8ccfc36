using StorageCache.Workloads.Devices;

namespace StorageCache.Workloads.Protect;

/// <summary>
/// Two mappings with equal pages, which have one frame for each two by content, and a third that shares nothing; all in memory.
/// </summary>
internal sealed class SharedPages : IAsyncDisposable
{
    private const int PageSize = 4096;
    private const long MetadataRoom = 64L << 20;

    private readonly PageCache _cache;
    private readonly Mapping _keeper;
    private readonly int _pages;

    private SharedPages(PageCache cache, Mapping keeper, Mapping writer, Mapping unprotected, int pages)
    {
        _cache = cache;
        _keeper = keeper;
        Writer = writer;
        Unprotected = unprotected;
        _pages = pages;
    }

    /// <summary>Its first write to each page breaks away from the frame that <see cref="ShareAgain"/> gave it.</summary>
    public Mapping Writer { get; }

    /// <summary>Its pages have frames of their own and are not protected.</summary>
    public Mapping Unprotected { get; }

    /// <summary>Breaks because of sharing since the cache was made.</summary>
    public long Breaks => _cache.GetStatistics().BreaksOf(ProtectionReason.Sharing);

    /// <summary>Brings all pages into memory. There is room for each writer's copy.</summary>
    public static async Task<SharedPages> CreateAsync(int pages)
    {
        long bytes = (long)pages * PageSize;

        // The scan would look at pages while they are measured, and finds nothing here that reading has not found.
        PageCache cache = new(new PageCacheOptions { MemoryLimit = (bytes * 4) + MetadataRoom, ScanPagesPerSecond = 0 });
        MappingOptions shares = new() { SharingDomain = new SharingDomain("shared pages") { SharesContent = true } };
        Mapping keeper = await cache.OpenAsync(new StampedDevice(bytes, PageSize), shares);
        Mapping writer = await cache.OpenAsync(new StampedDevice(bytes, PageSize), shares);
        Mapping unprotected = await cache.OpenAsync(new StampedDevice(bytes, PageSize), new MappingOptions { Shares = false });
        SharedPages resident = new(cache, keeper, writer, unprotected, pages);
        ReadAll(keeper, pages);
        ReadAll(unprotected, pages);
        resident.ShareAgain();
        return resident;
    }

    /// <summary>Has the writer's pages share their frames, as before they were written.</summary>
    /// <exception cref="WorkloadFailedException">Some do not.</exception>
    public void ShareAgain()
    {
        Writer.DontNeed(0, _pages);
        ReadAll(Writer, _pages);
        long shared = _cache.GetStatistics().SharedFrames;
        if (shared != _pages)
        {
            throw new WorkloadFailedException($"of {_pages} pairs of equal pages {shared} share a frame");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Writer.CloseAsync();
        await Unprotected.CloseAsync();
        await _keeper.CloseAsync();
        await _cache.DisposeAsync();
    }

    private static void ReadAll(Mapping mapping, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            mapping.Read(page).Dispose();
        }
    }
}
