using System.Runtime.InteropServices;
using StorageCache.Workloads.Devices;
using StorageCache.Workloads.Hit;

namespace StorageCache.Workloads.Protect;

/// <summary>Mappings with equally many pages, all in memory, that share with others or not; none has found anything to share.</summary>
internal sealed class SharingMappings : IAsyncDisposable
{
    private const int PageSize = 4096;
    private const long MetadataRoom = 128L << 20;
    private const int Mappings = 5;

    private readonly PageCache _cache;
    private readonly List<Mapping> _mappings = [];

    private SharingMappings(PageCache cache) => _cache = cache;

    /// <summary>Shares nothing.</summary>
    public Mapping Off { get; private set; } = null!;

    /// <summary>As <see cref="Off"/>: what two mappings differ by that differ in nothing.</summary>
    public Mapping Control { get; private set; } = null!;

    /// <summary>In the default domain, which shares extents.</summary>
    public Mapping Extents { get; private set; } = null!;

    /// <summary>In a domain that shares content. Its pages have been read only, and so are protected.</summary>
    public Mapping Content { get; private set; } = null!;

    /// <summary>As <see cref="Content"/>, in another domain; each page has been written once, which ends its protection.</summary>
    public Mapping ContentWritten { get; private set; } = null!;

    /// <summary>Misses since the cache was made.</summary>
    public long Misses => _cache.GetStatistics().Misses;

    /// <summary>Loads the pages, in one random order everywhere.</summary>
    /// <exception cref="WorkloadFailedException">Pages share frames.</exception>
    public static async Task<SharingMappings> CreateAsync(int pages)
    {
        long bytes = (long)pages * PageSize;

        // A scan would protect the pages that have been written, some time later, for the next writer to lift again.
        PageCache cache = new(new PageCacheOptions { MemoryLimit = (bytes * Mappings) + MetadataRoom, ScanPagesPerSecond = 0 });
        SharingMappings all = new(cache);
        all.Off = await all.OpenAsync(bytes, new MappingOptions { Shares = false });
        all.Extents = await all.OpenAsync(bytes, new MappingOptions());
        all.Content = await all.OpenAsync(bytes, InDomain("read"));
        all.ContentWritten = await all.OpenAsync(bytes, InDomain("written"));
        all.Control = await all.OpenAsync(bytes, new MappingOptions { Shares = false });
        foreach (int page in PageSequence.Permutation(pages, seed: 7))
        {
            all._mappings.ForEach(mapping => mapping.Read(page).Dispose());
        }

        for (int page = 0; page < pages; page++)
        {
            using PageWriteLease lease = all.ContentWritten.Write(page);
            MemoryMarshal.Write(lease.Span, (long)page);
        }

        PageCacheStatistics statistics = cache.GetStatistics();
        if (statistics.SharedFrames != 0 || statistics.ProtectionsLifted != pages)
        {
            throw new WorkloadFailedException($"{statistics.SharedFrames} frames are shared, which none should be, and {statistics.ProtectionsLifted} of {pages} written pages were protected before");
        }

        return all;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (Mapping mapping in _mappings)
        {
            await mapping.CloseAsync();
        }

        await _cache.DisposeAsync();
    }

    private static MappingOptions InDomain(string name) => new() { SharingDomain = new SharingDomain(name) { SharesContent = true } };

    private async Task<Mapping> OpenAsync(long bytes, MappingOptions options)
    {
        Mapping mapping = await _cache.OpenAsync(new StampedDevice(bytes, PageSize), options);
        _mappings.Add(mapping);
        return mapping;
    }
}
