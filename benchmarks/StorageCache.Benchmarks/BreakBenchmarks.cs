using BenchmarkDotNet.Attributes;

namespace StorageCache.Benchmarks;

/// <summary>
/// An exclusive lease on a page whose frame is under write-back: a new frame, a copy of the page, and the head turned to
/// it. Each iteration puts every page under write-back first, unmeasured.
/// </summary>
[MemoryDiagnoser]
public class BreakBenchmarks
{
    private const int PageCount = 1024;
    private const int ResidentCount = 8 * PageCount; // so that the broken pages stay far below the limit on dirty bytes

    private HeldWriteDevice _device = null!;
    private ResidentPages _pages = null!;
    private Task _flush = Task.CompletedTask;

    /// <summary>Loads the pages.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _device = new HeldWriteDevice((long)ResidentCount * ResidentPages.PageSize, ResidentPages.PageSize);
        _pages = new ResidentPages(ResidentCount, _device);
    }

    /// <summary>Puts every page under write-back.</summary>
    [IterationSetup]
    public void BeginWriteBack()
    {
        for (int page = 0; page < PageCount; page++)
        {
            using PageWriteLease lease = _pages.Mapping.Write(page);
            lease.MarkDirty();
        }

        _flush = _pages.Mapping.FlushAsync().AsTask();
    }

    /// <summary>Lets the write-back finish.</summary>
    [IterationCleanup]
    public void EndWriteBack()
    {
        while (!_flush.IsCompleted)
        {
            _device.LetGo();
            Thread.Yield();
        }

        _flush.GetAwaiter().GetResult();
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup() => _pages.Dispose();

    /// <summary>Breaks every page away.</summary>
    [Benchmark(OperationsPerInvoke = PageCount)]
    public void Break()
    {
        for (int page = 0; page < PageCount; page++)
        {
            using PageWriteLease lease = _pages.Mapping.Write(page);
        }
    }
}
