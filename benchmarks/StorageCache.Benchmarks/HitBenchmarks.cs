using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;

namespace StorageCache.Benchmarks;

/// <summary>One resident page, hot in the processor's caches: what a lease costs in instructions, memory apart.</summary>
[MemoryDiagnoser]
public class HitBenchmarks
{
    private const int Page = 5;

    private ResidentPages _pages = null!;
    private Mapping _mapping = null!;
    private PagePin _pin;

    /// <summary>Loads the pages and takes the pin.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _pages = new ResidentPages(64);
        _mapping = _pages.Mapping;
        _pin = _mapping.Pin(Page);
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _pin.Dispose();
        _pages.Dispose();
    }

    /// <summary>Shared lease that loads on a miss.</summary>
    [Benchmark(Baseline = true)]
    public long Read()
    {
        using PageReadLease lease = _mapping.Read(Page);
        return MemoryMarshal.Read<long>(lease.Span);
    }

    /// <summary>Shared lease that never waits.</summary>
    [Benchmark]
    public long TryRead()
    {
        if (!_mapping.TryRead(Page, out PageReadLease lease))
        {
            return 0;
        }

        using (lease)
        {
            return MemoryMarshal.Read<long>(lease.Span);
        }
    }

    /// <summary>Shared lease, awaited.</summary>
    [Benchmark]
    public async ValueTask<long> ReadAsync()
    {
        using PageReadLease lease = await _mapping.ReadAsync(Page);
        return MemoryMarshal.Read<long>(lease.Span);
    }

    /// <summary>Exclusive lease; nothing is changed.</summary>
    [Benchmark]
    public long Write()
    {
        using PageWriteLease lease = _mapping.Write(Page);
        return MemoryMarshal.Read<long>(lease.Span);
    }

    /// <summary>Exclusive lease, awaited.</summary>
    [Benchmark]
    public async ValueTask<long> WriteAsync()
    {
        using PageWriteLease lease = await _mapping.WriteAsync(Page);
        return MemoryMarshal.Read<long>(lease.Span);
    }

    /// <summary>Exclusive lease turned into a shared one.</summary>
    [Benchmark]
    public long WriteThenDowngrade()
    {
        PageWriteLease exclusive = _mapping.Write(Page);
        using PageReadLease lease = exclusive.Downgrade();
        return MemoryMarshal.Read<long>(lease.Span);
    }

    /// <summary>Pin and unpin; the bytes are not touched.</summary>
    [Benchmark]
    public void Pin()
    {
        using PagePin pin = _mapping.Pin(Page);
    }

    /// <summary>Shared lease through a pin that is held already: no look-up.</summary>
    [Benchmark]
    public long ReadThroughPin()
    {
        using PageReadLease lease = _pin.Read();
        return MemoryMarshal.Read<long>(lease.Span);
    }

    /// <summary>Optimistic read, validated.</summary>
    [Benchmark]
    public long ReadOptimistic()
    {
        OptimisticRead read = _mapping.ReadOptimistic(Page);
        long value = MemoryMarshal.Read<long>(read.Span);
        return read.Validate() ? value : 0;
    }

    /// <summary>Optimistic read through a pin that is held already: no look-up.</summary>
    [Benchmark]
    public long ReadOptimisticThroughPin()
    {
        if (!_pin.TryReadOptimistic(out OptimisticRead read))
        {
            return 0;
        }

        long value = MemoryMarshal.Read<long>(read.Span);
        return read.Validate() ? value : 0;
    }
}
