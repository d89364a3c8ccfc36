using BenchmarkDotNet.Attributes;

namespace StorageCache.Benchmarks;

/// <summary>Waits that are parked, granted and resumed on one thread: what a wait costs apart from the waiting.</summary>
[MemoryDiagnoser]
public class WaitBenchmarks
{
    private const int Page = 5;

    private ResidentPages _pages = null!;
    private Mapping _mapping = null!;

    /// <summary>Loads the pages.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _pages = new ResidentPages(64);
        _mapping = _pages.Mapping;
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup() => _pages.Dispose();

    /// <summary>A reader waits for a writer.</summary>
    [Benchmark]
    public void ReaderBehindWriter()
    {
        PageWriteLease held = _mapping.Write(Page);
        ValueTask<PageReadLease> waiting = _mapping.ReadAsync(Page);
        held.Dispose();
        waiting.GetAwaiter().GetResult().Dispose();
    }

    /// <summary>A writer waits for a reader.</summary>
    [Benchmark]
    public void WriterBehindReader()
    {
        PageReadLease held = _mapping.Read(Page);
        ValueTask<PageWriteLease> waiting = _mapping.WriteAsync(Page);
        held.Dispose();
        waiting.GetAwaiter().GetResult().Dispose();
    }

    /// <summary>A reader waits for a writer and gives up.</summary>
    [Benchmark]
    public bool ReaderCancelled()
    {
        using CancellationTokenSource cancellation = new();
        using PageWriteLease held = _mapping.Write(Page);
        ValueTask<PageReadLease> waiting = _mapping.ReadAsync(Page, cancellation.Token);
        cancellation.Cancel();
        bool isCanceled = waiting.IsCanceled;
        try
        {
            waiting.GetAwaiter().GetResult().Dispose();
        }
        catch (OperationCanceledException)
        {
        }

        return isCanceled;
    }
}
