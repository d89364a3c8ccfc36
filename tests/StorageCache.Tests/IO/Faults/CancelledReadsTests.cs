using StorageCache.Tests.Harness;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.IO.Faults;

/// <summary>
/// Twice 100,000 reads that are cancelled: before they begin, while the device has them, while they complete, and afterwards. The first two
/// ways are never too late. Whatever became of the reads, nothing is left of them.
/// </summary>
public sealed class CancelledReadsTests
{
    private const int Page = 4096;
    private const int Pages = 4096;
    private const int Batch = 32;
    private const int BatchesOfEach = (100_000 / 2 / Batch) + 1;

    private int _page;
    private int _cancelled;
    private int _read;

    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public async Task Cancelled_reads_leave_nothing_behind(IoEngine engine)
    {
        using FuseFile file = FuseFile.Create(Pages);
        await using PageCache cache = new(new PageCacheOptions
        {
            MemoryLimit = CacheCore.LeastMemory(Page) + (128 * Page),
            IoEngine = engine,
            IoThreads = 4,
            IoQueueDepth = 16,
        });

        // The first rounds find out how many of everything are needed at a time.
        await RunAsync(cache, file, batches: BatchesOfEach / 10);
        long memory = cache.GetStatistics().MemoryUsed;
        int waiters = cache.Core.Waiters.Created;
        await RunAsync(cache, file, BatchesOfEach - (BatchesOfEach / 10));
        Assert.Equal(BatchesOfEach * Batch * 4, _cancelled + _read);
        Assert.InRange(_cancelled, BatchesOfEach * Batch * 2, BatchesOfEach * Batch * 3);
        Assert.Equal(memory, cache.GetStatistics().MemoryUsed);
        Assert.InRange(cache.Core.Waiters.Created, 0, waiters + Batch);
    }

    private async Task RunAsync(PageCache cache, FuseFile file, int batches)
    {
        Mapping mapping = await cache.OpenAsync(file.Path, new MappingOptions { AccessPattern = AccessPattern.Random });
        for (int batch = 0; batch < batches; batch++)
        {
            await CancelBeforeAsync(mapping);
            await CancelInFlightAsync(mapping, file);
            await CancelWhileCompletingAsync(mapping);
            await CancelAfterwardsAsync(mapping);
        }

        await Quiet.CheckAsync(cache, "after the last read");
        Assert.Equal(0, cache.GetStatistics().PinsHeld);
        Assert.Equal(0, file.Held);
        await mapping.CloseAsync().InTime();
        await Quiet.CheckAsync(cache, "after the close");
        Assert.Equal(0, cache.Core.Heads.InUse);
        Assert.Equal(0, cache.Core.PageTables.Leaves);
        Assert.Equal(0, cache.Core.PageTables.Nodes);
        Assert.Equal(cache.Core.Frames.Active, cache.Core.Frames.FreeCount);
    }

    private async Task CancelBeforeAsync(Mapping mapping)
    {
        using CancellationTokenSource source = new();
        await source.CancelAsync();
        await EndAsync(Start(mapping, source.Token));
    }

    private async Task CancelInFlightAsync(Mapping mapping, FuseFile file)
    {
        using CancellationTokenSource source = new();
        file.Hold = _ => true;
        Task[] readers = Start(mapping, source.Token);
        file.WaitForHeld(4);
        await source.CancelAsync();
        int cancelled = _cancelled;
        await EndAsync(readers);
        Assert.Equal(cancelled + Batch, _cancelled);
        file.ReleaseAll();
    }

    private async Task CancelWhileCompletingAsync(Mapping mapping)
    {
        using CancellationTokenSource source = new();
        Task[] readers = Start(mapping, source.Token);
        await readers[_page % Batch].ContinueWith(_ => { }, TaskScheduler.Default).InTime();
        await source.CancelAsync();
        await EndAsync(readers);
    }

    private async Task CancelAfterwardsAsync(Mapping mapping)
    {
        using CancellationTokenSource source = new();
        int read = _read;
        await EndAsync(Start(mapping, source.Token));
        Assert.Equal(read + Batch, _read);
        await source.CancelAsync();
    }

    /// <summary>Reads, each in one of the forms there are, of pages that have long been evicted.</summary>
    private Task[] Start(Mapping mapping, CancellationToken token)
    {
        Task[] readers = new Task[Batch];
        for (int i = 0; i < Batch; i++)
        {
            int page = _page++ % Pages;
            readers[i] = (i % 4) switch
            {
                0 => PinAsync(mapping, page, token),
                1 => WriteAsync(mapping, page, token),
                _ => ReadAsync(mapping, page, token),
            };
        }

        return readers;
    }

    private async Task EndAsync(Task[] readers)
    {
        foreach (Task reader in readers)
        {
            try
            {
                await reader.InTime();
                _read++;
            }
            catch (OperationCanceledException)
            {
                _cancelled++;
            }
        }
    }

    private static async Task ReadAsync(Mapping mapping, int page, CancellationToken token)
    {
        using PageReadLease lease = await mapping.ReadAsync(page, token);
        Assert.Equal(FuseFile.ByteOf(page), lease.Span[page % Page]);
    }

    private static async Task WriteAsync(Mapping mapping, int page, CancellationToken token)
    {
        using PageWriteLease lease = await mapping.WriteAsync(page, token);
        Assert.Equal(FuseFile.ByteOf(page), lease.Span[page % Page]);
    }

    private static async Task PinAsync(Mapping mapping, int page, CancellationToken token)
    {
        using PagePin pin = await mapping.PinAsync(page, token);
        using PageReadLease lease = pin.Read();
        Assert.Equal(FuseFile.ByteOf(page), lease.Span[page % Page]);
    }
}
