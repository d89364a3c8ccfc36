using BenchmarkDotNet.Attributes;
using StorageCache.Workloads.Devices;

namespace StorageCache.Benchmarks;

/// <summary>
/// Misses over a device that takes no time, in a cache an eighth of the size of the file: finding a victim, evicting it,
/// and bringing the page in.
/// </summary>
[MemoryDiagnoser]
public class MissBenchmarks
{
    private const int PageCount = 65_536;
    private const long MemoryLimit = (long)PageCount / 8 * ResidentPages.PageSize;

    private PageCache _cache = null!;
    private Mapping _mapping = null!;
    private long _page;

    /// <summary>Fills the cache.</summary>
    [GlobalSetup]
    public async Task Setup()
    {
        _cache = new PageCache(new PageCacheOptions { MemoryLimit = MemoryLimit, PageSize = ResidentPages.PageSize });
        _mapping = await _cache.OpenAsync(new StampedDevice((long)PageCount * ResidentPages.PageSize, ResidentPages.PageSize));
        for (int page = 0; page < PageCount; page++)
        {
            Read();
        }
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup() => _cache.Dispose();

    /// <summary>The next page of a scan that never finds its page in memory.</summary>
    [Benchmark]
    public void Read()
    {
        _mapping.Read(_page).Dispose();
        _page = (_page + 1) % PageCount;
    }

    /// <summary>The same, awaited.</summary>
    [Benchmark]
    public async ValueTask ReadAsync()
    {
        (await _mapping.ReadAsync(_page)).Dispose();
        _page = (_page + 1) % PageCount;
    }
}
