using System.Runtime.InteropServices;
using StorageCache.Workloads.Disk;

namespace StorageCache.Workloads.Write;

/// <summary>Changes pages of a file faster than the device takes them, so that what is measured is write-back.</summary>
internal sealed class CacheWrites : IAsyncDisposable
{
    private readonly PageCache _cache;
    private readonly Mapping _mapping;
    private readonly StampedFile _file;
    private int _seed;

    private CacheWrites(PageCache cache, Mapping mapping, StampedFile file)
    {
        _cache = cache;
        _mapping = mapping;
        _file = file;
    }

    /// <summary>Opens the file through a cache of a given size.</summary>
    public static async Task<CacheWrites> OpenAsync(StampedFile file, long memoryLimit)
    {
        PageCache cache = new(new PageCacheOptions { MemoryLimit = memoryLimit });
        return new CacheWrites(cache, await cache.OpenAsync(file.Path, new MappingOptions { Mode = MappingMode.Open }), file);
    }

    /// <summary>Overwrites random pages. The figures are of what reached the device.</summary>
    public DiskFigures Random(TimeSpan duration)
    {
        Random random = new(++_seed);
        return Run(duration, () => random.NextInt64(_file.Pages));
    }

    /// <summary>Overwrites the pages in order. The figures are of what reached the device.</summary>
    public DiskFigures Sequential(TimeSpan duration)
    {
        long next = 0;
        return Run(duration, () => next++ % _file.Pages);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _mapping.CloseAsync();
        await _cache.DisposeAsync();
    }

    private DiskFigures Run(TimeSpan duration, Func<long> nextPage)
    {
        // Until the writer is held back by the device: the first pages only fill the memory that may be dirty.
        long throttled = _cache.GetStatistics().ThrottledWrites;
        while (_cache.GetStatistics().ThrottledWrites == throttled)
        {
            for (int i = 0; i < 1024; i++)
            {
                Overwrite(nextPage());
            }
        }

        long end = Environment.TickCount64 + (long)duration.TotalMilliseconds;
        PageCacheStatistics before = _cache.GetStatistics();
        DiskMeter meter = new();
        while (Environment.TickCount64 < end)
        {
            Overwrite(nextPage());
        }

        PageCacheStatistics after = _cache.GetStatistics();
        long bytes = after.BytesWritten - before.BytesWritten;
        return meter.Stop(bytes / StampedFile.PageSize, bytes);
    }

    private void Overwrite(long page)
    {
        using PageWriteLease lease = _mapping.WriteNew(page);
        MemoryMarshal.Write(lease.Span, page);
        lease.MarkDirty();
    }
}
