using System.Runtime.InteropServices;
using StorageCache.Workloads.Devices;
using StorageCache.Workloads.Disk;
using StorageCache.Workloads.Hit;

namespace StorageCache.Workloads.Protect;

/// <summary>Mappings with equally many pages, all in memory, that share with others or not; none has found anything to share.</summary>
internal sealed class SharingMappings : IAsyncDisposable
{
    private const int PageSize = 4096;
    private const long MetadataRoom = 16L << 20;
    private const int Mappings = 5;

    private readonly PageCache _cache;
    private readonly List<Mapping> _mappings = [];

    private SharingMappings(PageCache cache) => _cache = cache;

    /// <summary>Shares nothing.</summary>
    public Mapping Off { get; private set; } = null!;

    /// <summary>As <see cref="Off"/>: what two mappings differ by that differ in nothing.</summary>
    public Mapping Control { get; private set; } = null!;

    /// <summary>In the default domain, which shares extents, and with the options that mappings have by themselves.</summary>
    public Mapping Extents { get; private set; } = null!;

    /// <summary>In a domain that shares content. Its pages have been read only, and so are protected.</summary>
    public Mapping Content { get; private set; } = null!;

    /// <summary>As <see cref="Content"/>, in another domain; each page has been written once, which ends its protection.</summary>
    public Mapping ContentWritten { get; private set; } = null!;

    /// <summary>Misses since the cache was made.</summary>
    public long Misses => _cache.GetStatistics().Misses;

    /// <summary>Loads the pages.</summary>
    /// <param name="pages">How many each mapping has.</param>
    /// <param name="file">A file with them, for the mapping that shares extents; null where no file system has any.</param>
    /// <param name="placement">
    /// In which order the mappings are opened, and so where everything comes to lie: equal mappings differ by several per cent, always the
    /// same, because of where their slots and pages lie in the processor's caches.
    /// </param>
    /// <exception cref="WorkloadFailedException">Pages share frames.</exception>
    public static async Task<SharingMappings> CreateAsync(int pages, StampedFile? file, int placement)
    {
        long bytes = (long)pages * PageSize;

        // A scan would protect the pages that have been written, some time later, for the next writer to lift again. Huge pages are
        // to be had for some of the memory and not for the rest, at the kernel's whim, which would decide about everything.
        PageCache cache = new(new PageCacheOptions { MemoryLimit = (bytes * Mappings) + MetadataRoom, ScanPagesPerSecond = 0, HugePages = false });
        SharingMappings all = new(cache);
        MappingOptions off = new() { Shares = false };
        Func<Task>[] open =
        [
            async () => all.Off = await all.OpenAsync(bytes, off),
            async () => all.Control = await all.OpenAsync(bytes, off),
            async () => all.Extents = file is null ? await all.OpenAsync(bytes, new MappingOptions()) : await all.OpenAsync(file),
            async () => all.Content = await all.OpenAsync(bytes, InDomain("read")),
            async () => all.ContentWritten = await all.OpenAsync(bytes, InDomain("written")),
        ];
        foreach (int next in PageSequence.Permutation(open.Length, placement))
        {
            await open[next]();
        }

        foreach (Mapping mapping in all._mappings)
        {
            for (int page = 0; page < pages; page++)
            {
                mapping.Read(page).Dispose();
            }
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

    private async Task<Mapping> OpenAsync(StampedFile file)
    {
        Mapping mapping = await _cache.OpenAsync(file.Path, new MappingOptions { Mode = MappingMode.Open });
        _mappings.Add(mapping);
        return mapping;
    }

    private async Task<Mapping> OpenAsync(long bytes, MappingOptions options)
    {
        Mapping mapping = await _cache.OpenAsync(new StampedDevice(bytes, PageSize), options);
        _mappings.Add(mapping);
        return mapping;
    }
}
