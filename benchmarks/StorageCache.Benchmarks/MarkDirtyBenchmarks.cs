using BenchmarkDotNet.Attributes;

namespace StorageCache.Benchmarks;

/// <summary>A write of a page that is dirty already: what an engine pays for each change between two flushes.</summary>
[MemoryDiagnoser]
public class MarkDirtyBenchmarks
{
    private const int Page = 5;

    private ResidentPages _pages = null!;
    private Mapping _mapping = null!;
    private ulong _lsn;

    /// <summary>Loads the pages and makes one dirty.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _pages = new ResidentPages(64);
        _mapping = _pages.Mapping;
        MarkDirty();
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup() => _pages.Dispose();

    /// <summary>Exclusive lease alone.</summary>
    [Benchmark(Baseline = true)]
    public void Write()
    {
        using PageWriteLease lease = _mapping.Write(Page);
    }

    /// <summary>Exclusive lease, one byte changed, marked dirty.</summary>
    [Benchmark]
    public void MarkDirty()
    {
        using PageWriteLease lease = _mapping.Write(Page);
        lease.Span[64]++;
        lease.MarkDirty();
    }

    /// <summary>Exclusive lease, one byte changed, marked dirty with a log sequence number.</summary>
    [Benchmark]
    public void MarkDirtyWithLsn()
    {
        using PageWriteLease lease = _mapping.Write(Page);
        lease.Span[64]++;
        lease.MarkDirty(++_lsn);
    }
}
