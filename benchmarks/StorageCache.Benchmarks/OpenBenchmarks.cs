using BenchmarkDotNet.Attributes;
using StorageCache.Workloads.Devices;

namespace StorageCache.Benchmarks;

/// <summary>Opening and closing mappings, and making and disposing caches.</summary>
[MemoryDiagnoser]
public class OpenBenchmarks
{
    private const long FileBytes = 1L << 20;

    private readonly string _path = Path.Combine(Path.GetTempPath(), $"storagecache-{Guid.NewGuid():N}.db");
    private PageCache _cache = null!;

    /// <summary>Makes a cache and a file.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _cache = NewCache();
        File.WriteAllBytes(_path, new byte[FileBytes]);
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _cache.Dispose();
        File.Delete(_path);
    }

    /// <summary>Opens and closes a mapping of a device.</summary>
    [Benchmark]
    public async Task OpenAndCloseDevice()
    {
        Mapping mapping = await _cache.OpenAsync(new StampedDevice(FileBytes, ResidentPages.PageSize));
        await mapping.CloseAsync();
    }

    /// <summary>Opens and closes a mapping of a file.</summary>
    [Benchmark]
    public async Task OpenAndCloseFile()
    {
        Mapping mapping = await _cache.OpenAsync(_path);
        await mapping.CloseAsync();
    }

    /// <summary>Opens a mapping of a device, reads one page, closes.</summary>
    [Benchmark]
    public async Task OpenReadAndCloseDevice()
    {
        Mapping mapping = await _cache.OpenAsync(new StampedDevice(FileBytes, ResidentPages.PageSize));
        mapping.Read(0).Dispose();
        await mapping.CloseAsync();
    }

    /// <summary>Makes and disposes a cache of 64 MiB.</summary>
    [Benchmark]
    public async Task CreateAndDisposeCache() => await NewCache().DisposeAsync();

    private static PageCache NewCache() => new(new PageCacheOptions { MemoryLimit = 64L << 20, PageSize = ResidentPages.PageSize });
}
