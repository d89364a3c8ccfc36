using BenchmarkDotNet.Attributes;

namespace StorageCache.Benchmarks;

/// <summary>Dirtying pages and flushing them to a device that takes no time: the cache's share of a flush.</summary>
[MemoryDiagnoser]
public class FlushBenchmarks
{
    private const int PageCount = 16_384;

    private ResidentPages _pages = null!;
    private Mapping _mapping = null!;

    /// <summary>How many pages are dirty.</summary>
    [Params(1, 64, 4096)]
    public int Pages { get; set; }

    /// <summary>How far apart the dirty pages are: 1 makes one run of neighbours of them, 4 leaves no two together.</summary>
    [Params(1, 4)]
    public int Stride { get; set; }

    /// <summary>Loads the pages.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _pages = new ResidentPages(PageCount);
        _mapping = _pages.Mapping;
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup() => _pages.Dispose();

    /// <summary>Marks the pages dirty, then waits until all are written and the device is flushed.</summary>
    [Benchmark]
    public async Task DirtyAndFlush()
    {
        for (int i = 0; i < Pages; i++)
        {
            using PageWriteLease lease = _mapping.Write((long)i * Stride);
            lease.Span[64]++;
            lease.MarkDirty();
        }

        await _mapping.FlushAsync();
    }

    /// <summary>A flush when nothing is dirty.</summary>
    [Benchmark]
    public ValueTask FlushClean() => _mapping.FlushAsync();
}
