using StorageCache.IO;
using StorageCache.Replacement;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Errors;

public class CacheFullTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task When_every_frame_is_pinned_the_wait_for_one_ends_and_says_so(bool inline)
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: TestCache.Smallest, inline: inline, frameTimeout: TimeSpan.FromMilliseconds(80));
        List<PagePin> pins = Fill(test);
        CacheFullException error = Assert.Throws<CacheFullException>(() => test.Mapping.Read(500));
        Assert.Equal(500, error.Page);
        Assert.Throws<CacheFullException>(() => test.Mapping.Write(501));
        Assert.Throws<CacheFullException>(() => test.Mapping.WriteNew(2000));
        Assert.Throws<CacheFullException>(() => test.Mapping.Pin(502));
        Task<PageReadLease>[] readers = [.. Enumerable.Range(0, 20).Select(page => test.Mapping.ReadAsync(600 + (page / 2)).AsTask())];
        foreach (Task<PageReadLease> reader in readers)
        {
            await Assert.ThrowsAsync<CacheFullException>(() => reader.InTime());
        }

        Assert.False(test.Mapping.TryWriteNew(3000, out _));
        test.AssertSound(pins.Count);

        pins.ForEach(pin => pin.Dispose());
        for (int page = 500; page < 800; page++)
        {
            (await test.Mapping.ReadAsync(page).InTime()).Dispose();
        }

        test.AssertSound();
    }

    [Fact]
    public async Task The_time_out_follows_the_clock_that_the_cache_was_given()
    {
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: TestCache.Smallest, frameTimeout: TimeSpan.FromSeconds(10), time: time);
        List<PagePin> pins = Fill(test);
        Task<PageReadLease> first = test.Mapping.ReadAsync(500).AsTask();
        time.Advance(TimeSpan.FromSeconds(6));
        Task<PageReadLease> second = test.Mapping.ReadAsync(501).AsTask();
        time.Advance(TimeSpan.FromSeconds(5));
        await Assert.ThrowsAsync<CacheFullException>(() => first.InTime());
        Assert.False(second.IsCompleted);
        pins[0].Dispose();
        (await second.InTime()).Dispose();
        pins.Skip(1).ToList().ForEach(pin => pin.Dispose());
    }

    /// <remarks>R-4: rests lie between turns in vain, however many ask; a lower bound, so a slow machine does not matter.</remarks>
    [Fact]
    public async Task A_cache_full_of_pins_is_searched_at_intervals_only()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: TestCache.Smallest);
        List<PagePin> pins = Fill(test);
        Task<PageReadLease> reader = test.Mapping.ReadAsync(500).AsTask();
        IReclaimer reclaimer = test.Cache.Core.Reclaimer;
        long turn = 3 * test.Cache.Core.Frames.HighWater;
        long before = reclaimer.Looked;
        long start = Environment.TickCount64;
        Wait.Until(() =>
        {
            Assert.Equal(0, test.Mapping.Prefetch(600, 1));
            reclaimer.Call();
            return reclaimer.Looked - before >= 20 * turn;
        }, "twenty turns");

        // The first three follow one another at once; then come 2, 4, 8 and 16 ms, and 32 ms before each further one.
        Assert.InRange(Environment.TickCount64 - start, 300, long.MaxValue);
        Assert.False(reader.IsCompleted);
        pins[0].Dispose();
        (await reader.InTime()).Dispose();
        pins.Skip(1).ToList().ForEach(pin => pin.Dispose());
    }

    /// <remarks>F-5: a frame that comes free is given to the one who has waited longest.</remarks>
    [Fact]
    public async Task Frames_are_handed_out_in_the_order_of_asking()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: TestCache.Smallest);
        List<PagePin> pins = Fill(test);
        Task<PageReadLease>[] readers = [.. Enumerable.Range(0, 10).Select(page => test.Mapping.ReadAsync(500 + page).AsTask())];
        for (int i = 0; i < readers.Length; i++)
        {
            Assert.All(readers.Skip(i), reader => Assert.False(reader.IsCompleted));
            pins[i].Dispose();
            PageReadLease lease = await readers[i].InTime();
            pins.Add(test.Mapping.Pin(lease.Page));
            lease.Dispose();
        }

        pins.Skip(10).ToList().ForEach(pin => pin.Dispose());
    }

    [Fact]
    public async Task Pinned_pages_can_be_written_and_flushed_in_a_full_cache()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: TestCache.Smallest);
        List<PagePin> pins = Fill(test);
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        for (int page = 0; page < pins.Count; page++)
        {
            test.Fill(page, 1);
        }

        Task flush = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);

        // The reserve has frames for a few breaks; the others wait for the write-back that protects their pages.
        Task[] writers = [.. Enumerable.Range(0, pins.Count).Select(page => Task.Run(async () =>
        {
            using PageWriteLease lease = await test.Mapping.WriteAsync(page);
            lease.Span.Fill(2);
            lease.MarkDirty();
        }))];
        Wait.Until(() => test.Cache.GetStatistics().Breaks > 0, "a break");
        test.Device.ReleaseAll();
        await Task.WhenAll(writers).InTime();
        await flush.InTime();
        await test.Mapping.FlushAsync().InTime();
        for (int page = 0; page < pins.Count; page++)
        {
            Assert.Equal(2, test.Device.Bytes(page)[0]);
        }

        pins.ForEach(pin => pin.Dispose());
        Assert.False(test.Device.SawOverlappingWrites);
    }

    [Fact]
    public async Task A_cache_full_of_dirt_makes_room_by_writing()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 2000, memory: TestCache.Smallest);
        for (int page = 0; page < 2000; page++)
        {
            test.Fill(page, (byte)page);
        }

        for (int page = 0; page < 2000; page++)
        {
            Assert.Equal((byte)page, test.ByteOf(page));
        }
    }

    [Fact]
    public async Task A_cancelled_wait_for_a_frame_leaves_the_queue_in_order()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: TestCache.Smallest);
        List<PagePin> pins = Fill(test);
        using CancellationTokenSource source = new();
        Task<PageReadLease> first = test.Mapping.ReadAsync(500, source.Token).AsTask();
        Task<PageReadLease> second = test.Mapping.ReadAsync(501).AsTask();
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first.InTime());
        pins.ForEach(pin => pin.Dispose());
        (await second.InTime()).Dispose();
        test.AssertSound();
    }

    [Fact]
    public async Task A_miss_that_finds_no_head_evicts_a_page_for_its_head()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 2000, memory: TestCache.Smallest);
        List<PagePin> pins = await PinHeadsAsync(test, test.Cache.Core.Heads.Capacity - 20);
        for (int page = 0; page < 200; page++)
        {
            (await test.Mapping.ReadAsync(page).InTime()).Dispose();
        }

        Assert.True(test.Cache.Core.Heads.InUse >= test.Cache.Core.Heads.Capacity - 1);
        Assert.Equal(0, test.Cache.GetStatistics().FrameWaits);
        pins.ForEach(pin => pin.Dispose());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_miss_that_finds_no_head_waits_for_one_though_frames_are_free(bool comesFree)
    {
        TimeSpan timeout = comesFree ? Wait.Patience * 2 : TimeSpan.FromMilliseconds(80);
        await using TestCache test = await TestCache.OpenAsync(pages: 2000, memory: TestCache.Smallest, frameTimeout: timeout);
        List<PagePin> pins = await PinHeadsAsync(test, test.Cache.Core.Heads.Capacity);
        Task<PageReadLease> reader = test.Mapping.ReadAsync(1).AsTask();
        if (comesFree)
        {
            pins[0].Dispose();
            (await reader.InTime()).Dispose();
        }
        else
        {
            await Assert.ThrowsAsync<CacheFullException>(() => reader.InTime());
        }

        Assert.Equal(1, test.Cache.GetStatistics().FrameWaits);
        pins.Skip(comesFree ? 1 : 0).ToList().ForEach(pin => pin.Dispose());
    }

    /// <summary>Takes heads, and no frames, with pins on pages at the end of the file that are then truncated away.</summary>
    private static async Task<List<PagePin>> PinHeadsAsync(TestCache test, int count)
    {
        List<PagePin> pins = [];
        while (pins.Count < count)
        {
            long end = test.Mapping.PageCount;
            int some = Math.Min(40, count - pins.Count);
            pins.AddRange(Enumerable.Range(1, some).Select(i => test.Mapping.Pin(end - i)));
            await test.Mapping.TruncateAsync((end - some) * 4096).InTime();
        }

        return pins;
    }

    private static List<PagePin> Fill(TestCache test)
    {
        List<PagePin> pins = [];
        while (test.Mapping.Prefetch(pins.Count, 1) == 1)
        {
            pins.Add(test.Mapping.Pin(pins.Count));
        }

        return pins;
    }
}
