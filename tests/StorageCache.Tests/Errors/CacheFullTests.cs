using StorageCache.IO;
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
