using System.Diagnostics;
using StorageCache.IO;

namespace StorageCache.Workloads.Codecs;

/// <summary>Loads and stores of pages on a device in memory, which costs a copy of the page and no more, so that what a codec costs shows.</summary>
internal sealed class CodedPages : IAsyncDisposable
{
    private const int PageSize = 4096;
    private const long Pages = 16_384;
    private const long Memory = Pages / 4 * PageSize;
    private const int StoredAtOnce = 1024;

    private readonly PageCache _cache;
    private readonly Mapping _mapping;
    private readonly MemoryBlockDevice _device;
    private int _seed;

    private CodedPages(PageCache cache, Mapping mapping, MemoryBlockDevice device)
    {
        _cache = cache;
        _mapping = mapping;
        _device = device;
    }

    /// <summary>Fills a device with pages of noise, by way of a codec or none.</summary>
    public static async Task<CodedPages> OpenAsync(PageCodec? codec)
    {
        // Nothing is stored but by the flushes that are measured.
        PageCache cache = new(new PageCacheOptions { MemoryLimit = Memory, DirtyBackgroundRatio = 0.9, DirtyLimitRatio = 0.95, WriteBackInterval = TimeSpan.FromHours(1) });
        MemoryBlockDevice device = new("coded", Pages * PageSize);
        CodedPages pages = new(cache, await cache.OpenAsync(device, new MappingOptions { Codec = codec, AccessPattern = AccessPattern.Random }), device);
        for (long page = 0; page < Pages; page += StoredAtOnce)
        {
            pages.Change(page);
            await pages._mapping.FlushAsync();
        }

        return pages;
    }

    /// <summary>Reads random pages of a file four times the cache. Microseconds for each that was loaded.</summary>
    public double Load(int reads)
    {
        Random random = new(++_seed);
        long before = _cache.GetStatistics().Misses;
        long began = Stopwatch.GetTimestamp();
        for (int i = 0; i < reads; i++)
        {
            _mapping.Read(random.NextInt64(Pages)).Dispose();
        }

        return Stopwatch.GetElapsedTime(began).TotalMicroseconds / (_cache.GetStatistics().Misses - before);
    }

    /// <summary>Changes pages and flushes them, some at a time. Microseconds that the flushes take for each page.</summary>
    public async Task<double> StoreAsync(int flushes)
    {
        Random random = new(++_seed);
        TimeSpan time = TimeSpan.Zero;
        for (int i = 0; i < flushes; i++)
        {
            Change(random.NextInt64(Pages - StoredAtOnce));
            long began = Stopwatch.GetTimestamp();
            await _mapping.FlushAsync();
            time += Stopwatch.GetElapsedTime(began);
        }

        return time.TotalMicroseconds / ((double)flushes * StoredAtOnce);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _mapping.CloseAsync();
        await _cache.DisposeAsync();
        await _device.DisposeAsync();
    }

    private void Change(long firstPage)
    {
        Random noise = new(++_seed);
        for (long page = firstPage; page < firstPage + StoredAtOnce; page++)
        {
            using PageWriteLease lease = _mapping.WriteNew(page);
            noise.NextBytes(lease.Span);
            lease.MarkDirty();
        }
    }
}
