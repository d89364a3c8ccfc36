using StorageCache.Workloads.Disk;

namespace StorageCache.Workloads.Miss;

/// <summary>Reads pages of a file through a cache that is much smaller than the file.</summary>
internal sealed class CacheReads : IAsyncDisposable
{
    private readonly PageCache _cache;
    private readonly Mapping _mapping;
    private readonly StampedFile _file;
    private int _seed;
    private long _next;

    private CacheReads(PageCache cache, Mapping mapping, StampedFile file)
    {
        _cache = cache;
        _mapping = mapping;
        _file = file;
    }

    /// <summary>The part of the cache's memory that is registered with the kernel, 0 to 1.</summary>
    public double RegisteredShare => (double)_cache.GetStatistics().RegisteredBytes / _cache.MemoryLimit;

    /// <summary>What the cache has done so far.</summary>
    public PageCacheStatistics Statistics => _cache.GetStatistics();

    /// <summary>Opens the file through a cache of a given size.</summary>
    /// <param name="file">The file.</param>
    /// <param name="memoryLimit">The cache's size in bytes.</param>
    /// <param name="inline">Whether continuations run where a read completes.</param>
    /// <param name="registers">Whether memory is registered with the kernel.</param>
    /// <param name="domain">With whom the file shares frames; null for nobody.</param>
    public static async Task<CacheReads> OpenAsync(StampedFile file, long memoryLimit, bool inline, bool registers = false, SharingDomain? domain = null)
    {
        PageCache cache = new(new PageCacheOptions
        {
            MemoryLimit = memoryLimit,
            AllowSynchronousContinuations = inline,
            RegisterMemory = registers,
        });
        Mapping mapping = await cache.OpenAsync(file.Path, new MappingOptions
        {
            Mode = MappingMode.Open,
            ReadOnly = true,
            Shares = domain is not null,
            SharingDomain = domain ?? SharingDomain.Default,
        });
        return new CacheReads(cache, mapping, file);
    }

    /// <summary>Reads random pages, so many at a time, each awaited.</summary>
    /// <param name="depth">How many at a time.</param>
    /// <param name="duration">For how long.</param>
    /// <param name="hops">Whether each reader goes to the thread pool by itself once it has its page.</param>
    public async Task<DiskFigures> RandomAsync(int depth, TimeSpan duration, bool hops = false)
    {
        long misses = _cache.GetStatistics().Misses;
        long end = Environment.TickCount64 + (long)duration.TotalMilliseconds;
        DiskMeter meter = new();
        Task<long>[] workers = new Task<long>[depth];
        for (int i = 0; i < depth; i++)
        {
            workers[i] = ReadRandomAsync(new Random(++_seed), end, hops);
        }

        Task<long[]> all = Task.WhenAll(workers);
        meter.HasBegun();
        long reads = (await all).Sum();
        DiskFigures figures = meter.Stop(reads, reads * StampedFile.PageSize);
        misses = _cache.GetStatistics().Misses - misses;
        if (misses < reads * 0.9)
        {
            throw new WorkloadFailedException($"of {reads} reads only {misses} were misses");
        }

        return figures;
    }

    /// <summary>Reads random pages one after the other, each on the calling thread.</summary>
    public DiskFigures RandomSync(TimeSpan duration)
    {
        long end = Environment.TickCount64 + (long)duration.TotalMilliseconds;
        Random random = new(++_seed);
        DiskMeter meter = new();
        long reads = 0;
        for (; Environment.TickCount64 < end; reads++)
        {
            long page = random.NextInt64(_file.Pages);
            using PageReadLease lease = _mapping.Read(page);
            StampedFile.Check(lease.Span, page);
        }

        return meter.Stop(reads, reads * StampedFile.PageSize);
    }

    /// <summary>Reads the pages in order, from where it stopped before, each on the calling thread; none is in memory at first.</summary>
    public DiskFigures SequentialSync(TimeSpan duration)
    {
        _mapping.DontNeed(0, _file.Pages);
        long end = Environment.TickCount64 + (long)duration.TotalMilliseconds;
        DiskMeter meter = new();
        long reads = 0;
        for (; (reads & 63) != 0 || Environment.TickCount64 < end; reads++)
        {
            using PageReadLease lease = _mapping.Read(_next);
            StampedFile.Check(lease.Span, _next);
            _next = (_next + 1) % _file.Pages;
        }

        return meter.Stop(reads, reads * StampedFile.PageSize);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _mapping.CloseAsync();
        await _cache.DisposeAsync();
    }

    private async Task<long> ReadRandomAsync(Random random, long end, bool hops)
    {
        long reads = 0;
        for (; Environment.TickCount64 < end; reads++)
        {
            long page = random.NextInt64(_file.Pages);
            using PageReadLease lease = await _mapping.ReadAsync(page).ConfigureAwait(false);
            if (hops)
            {
                await Task.Yield();
            }

            StampedFile.Check(lease.Span, page);
        }

        return reads;
    }
}
