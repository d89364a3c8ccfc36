using StorageCache.IO;
using StorageCache.IO.Ring;
using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using StorageCache.Writeback;
using Xunit;

namespace StorageCache.Tests.Writeback;

/// <summary>How many writes and syncs a flush makes of many pages and callers.</summary>
public class WriteBatchTests
{
    [RingFact]
    public async Task Scattered_pages_go_to_a_ring_in_few_system_calls()
    {
        using ScratchDirectory directory = new();
        using RingIoEngine engine = new(depth: 128, maximumThreads: 1);
        FileBlockDevice device = FileBlockDevice.Open(directory.File("a"), FileOpenMode.CreateNew, isReadOnly: false, 4096, engine);
        await device.SetLengthAsync(400 * 4096, default);
        await using (PageCache cache = new(new PageCacheOptions { MemoryLimit = 8 << 20, WriteBackInterval = TimeSpan.FromHours(1), DirtyBackgroundRatio = 0.9, DirtyLimitRatio = 0.95 }))
        {
            Mapping mapping = await cache.OpenAsync(device);
            for (int page = 0; page < 400; page += 2)
            {
                using PageWriteLease lease = mapping.WriteNew(page);
                lease.MarkDirty();
            }

            long before = engine.Submissions;
            await mapping.FlushAsync().InTime();

            // Batches of a quarter of the permits at least, a rest, and the sync.
            int atLeast = Math.Max(1, cache.Core.WriteBack.Permits.Count / 4);
            Assert.InRange(engine.Submissions - before, 2, (200 / atLeast) + 2);
            Assert.Equal(200 * 4096, cache.GetStatistics().BytesWritten);
            await mapping.CloseAsync();
        }

        device.Close();
    }

    /// <remarks>WB-14.</remarks>
    [Fact]
    public async Task A_writer_that_goes_on_is_not_followed_page_by_page_while_writes_are_under_way()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 6000, memory: 24 << 20, dirtyBackground: 0.1);
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        int background = test.Frames / 10;

        // The first writes, which stay under way, and many more pages than are let lie.
        for (int page = 0; page < 4 * background; page++)
        {
            using PageWriteLease lease = test.Mapping.WriteNew(page);
            lease.MarkDirty();
        }

        // Whatever the flusher's turns were, it took no less than half of what may wait, and so a few runs at a time.
        Wait.Until(() => !test.Cache.Core.WriteBack.IsAboveBackground, "the flusher to begin what waits");
        IReadOnlyList<DeviceCall> calls = test.Device.WriteCalls;
        Assert.InRange(calls.Average(call => call.Segments), 64, 256);
    }

    /// <summary>The pages of a write are clean before it is no longer taken to be under way: what becomes dirty in between has to be seen afterwards.</summary>
    /// <remarks>WB-14.</remarks>
    [Fact]
    public async Task Dirt_that_comes_while_a_write_ends_is_written_when_it_has_ended()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 6000, memory: 24 << 20, dirtyBackground: 0.1);
        test.Device.Records = true;
        WriteBackEngine engine = test.Cache.Core.WriteBack;
        int background = test.Frames / 10;
        Assert.Equal(1, engine.Permits.TakeOrWait(new AwaitedPermitWaiter(engine.Permits, test.Cache.Core.OwnThread), most: 1));
        engine.Permits.Charge(background * 4096L);
        for (int page = 0; page < background * 3 / 2; page++)
        {
            test.Mapping.WriteNew(page).Dispose();
        }

        Assert.False(engine.IsAboveBackground);
        Assert.Empty(test.Device.WriteCalls);
        engine.EndWrite(background * 4096L);
        Wait.Until(() => test.Device.WriteCalls.Count > 0 && !engine.IsAboveBackground, "the flusher to write what waits");
    }

    /// <remarks>WB-12.</remarks>
    [Fact]
    public async Task Large_writes_are_limited_by_their_bytes()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 6144, memory: 40 << 20);
        for (int page = 0; page < 6144; page++)
        {
            using PageWriteLease lease = test.Mapping.WriteNew(page);
            lease.MarkDirty();
        }

        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        Task flush = test.Mapping.FlushAsync().AsTask();
        WritePermits permits = test.Cache.Core.WriteBack.Permits;
        Assert.Equal((int)Math.Min(permits.Count, WriteBackEngine.BytesLimit / WriteBackEngine.RunBytes), test.Device.HeldCount);
        Assert.Equal(test.Device.HeldCount * (long)WriteBackEngine.RunBytes, permits.Bytes);
        test.Device.ReleaseAll();
        await flush.InTime();
        Assert.Equal(0, permits.Bytes);
        Assert.Equal(permits.Count, permits.Available);
        Assert.Equal(24, test.Device.Writes);
    }

    /// <remarks>WB-12.</remarks>
    [Theory]
    [InlineData(IoEngine.Threads, 16, 64, 12)]
    [InlineData(IoEngine.Threads, 1, 64, 1)]
    [InlineData(IoEngine.Threads, 256, 5, 5)]
    [InlineData(IoEngine.IoUring, 128, 96, 96)]
    [InlineData(IoEngine.IoUring, 2, 96, 1)]
    [InlineData(IoEngine.IoUring, 4096, 4096, 3072)]
    public async Task A_quarter_of_the_engine_is_left_to_reads(IoEngine engine, int places, int depth, int expected)
    {
        Assert.SkipWhen(engine == IoEngine.IoUring && RingAvailability.Reason is not null, "There is no ring.");
        await using PageCache cache = new(new PageCacheOptions
        {
            MemoryLimit = 4 << 20,
            IoEngine = engine,
            IoThreads = engine == IoEngine.Threads ? places : 1,
            IoQueueDepth = engine == IoEngine.IoUring ? places : 1,
            WriteBackDepth = depth,
        });
        Assert.Equal(expected, cache.Core.WriteBack.Permits.Count);
    }

    /// <summary>Nobody would wake the flusher again: dirt crosses the point from which it does once only.</summary>
    [Fact]
    public async Task The_flusher_takes_up_what_became_dirty_while_it_wrote()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 2000, dirtyBackground: 0.1);
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        int background = (int)(test.Frames * 0.1);
        for (int i = 0; i < background * 4; i++)
        {
            using (PageWriteLease lease = test.Mapping.WriteNew(2 * i))
            {
                lease.MarkDirty();
            }

            if (i == background + 1)
            {
                test.Device.WaitForHeld(1);
            }
        }

        test.Device.ReleaseAll();
        Wait.Until(() => test.Cache.GetStatistics().DirtyPages <= background, "the flusher to write the rest");
    }

    [Fact]
    public async Task Many_flushes_at_once_share_two_syncs()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(1, 1);
        test.Device.Hold = call => call.Operation == BlockOperation.Flush;
        Task first = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);

        // None of them can know whether the sync that runs covers what it wrote: all wait for the next one.
        Task[] others = [.. Enumerable.Range(2, 20).Select(page =>
        {
            test.Fill(page, 1);
            return test.Mapping.FlushAsync().AsTask();
        })];
        Wait.Until(() => test.Cache.GetStatistics().DirtyPages == 0, "the pages to be written");
        test.Device.ReleaseHeld();
        await first.InTime();
        test.Device.WaitForHeld(1);
        test.Device.ReleaseAll();
        await Task.WhenAll(others).InTime();
        Assert.Equal(2, test.Device.Flushes);
    }
}
