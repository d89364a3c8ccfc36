using StorageCache.ReadAhead;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.ReadAhead;

/// <summary>What is read ahead for a pattern of reads: counted in requests and pages, over a device that records them.</summary>
public sealed class ReadAheadTests
{
    private const int FileFrames = 4096;

    public static TheoryData<string> WaysToRead => ["read", "async", "pin", "optimistic", "write", "try"];

    [Theory]
    [MemberData(nameof(WaysToRead))]
    public async Task A_sequential_reader_is_read_ahead_of_in_windows_that_double(string way)
    {
        await using TestCache test = await OpenAsync();
        for (long page = 0; page < 1000; page++)
        {
            await ReadAsync(test, page, way);
        }

        // The first two pages by themselves, and 4, 8, 16, 32, 64, 128 and 256 pages in one request each. A thread that reads its
        // page itself sends the window off before.
        int[] pages = [.. test.Device.ReadCalls.Select(call => call.Segments)];
        int[] first = way == "async" ? [1, 1, 4] : [1, 4, 1];
        Assert.Equal([.. first, 8, 16, 32, 64, 128, 256, 256, 256], pages[..11]);
        Assert.InRange(pages.Length, 11, 13);
        Assert.Equal(0, test.Cache.GetStatistics().PrefetchedPagesUnused);
        AssertOneReadPerPage(test);
    }

    [Fact]
    public async Task The_reader_waits_for_no_page_once_the_windows_are_under_way()
    {
        await using TestCache test = await OpenAsync();
        for (long page = 0; page < 200; page++)
        {
            test.Mapping.Read(page).Dispose();
        }

        // RA-4: what is asked for now came with a window, which was begun before the last one was used up.
        long misses = test.Cache.GetStatistics().Misses;
        for (long page = 200; page < 3000; page++)
        {
            Assert.True(test.Mapping.TryRead(page, out PageReadLease lease), $"page {page} is not there");
            lease.Dispose();
        }

        Assert.Equal(misses, test.Cache.GetStatistics().Misses);
    }

    [Fact]
    public async Task A_backward_reader_is_read_ahead_of_downwards()
    {
        await using TestCache test = await OpenAsync();
        for (long page = 999; page >= 0; page--)
        {
            test.Mapping.Read(page).Dispose();
        }

        Assert.Equal([1, 4, 1, 8, 16, 32, 64, 128, 256, 256], test.Device.ReadCalls.Select(call => call.Segments).Take(10));
        Assert.InRange(test.Device.Reads, 11, 13);
        AssertOneReadPerPage(test);
        Assert.All(test.Device.ReadCalls, call => Assert.InRange(call.EndPage, 1, 1000));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(16)]
    public async Task Interleaved_streams_are_told_apart(int streams)
    {
        await using TestCache test = await OpenAsync(pages: 200_000);
        const int Length = 150;
        for (int step = 0; step < Length; step++)
        {
            for (int stream = 0; stream < streams; stream++)
            {
                // Every other one goes backward.
                long start = stream * 10_000L;
                test.Mapping.Read(stream % 2 == 0 ? start + step : start + Length - step).Dispose();
            }
        }

        // 1 + 1 + 4 + 8 + 16 + 32 + 64 + 128 pages, and the next window.
        Assert.InRange(test.Device.Reads, 8 * streams, 9 * streams);
        AssertOneReadPerPage(test);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    public async Task Streams_in_a_small_cache_do_not_evict_what_is_read_ahead_for_each_other(int streams)
    {
        const int Length = 2000;
        await using TestCache test = await OpenAsync(pages: streams * Length, memory: 2 << 20);
        for (int step = 0; step < Length; step++)
        {
            for (int stream = 0; stream < streams; stream++)
            {
                test.Mapping.Read((stream * (long)Length) + step).Dispose();
            }
        }

        // RA-11.
        int wanted = streams * Length;
        Assert.InRange(test.Device.ReadCalls.Sum(call => call.Segments), wanted, wanted * 105 / 100);
        Assert.InRange(test.Device.Reads, 1, wanted / 4);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public async Task A_strided_reader_gets_its_own_pages_and_no_others(int stride)
    {
        await using TestCache test = await OpenAsync();
        for (long page = 0; page < 3000; page += stride)
        {
            test.Mapping.Read(page).Dispose();
        }

        Assert.Equal((3000 + stride - 1) / stride, test.Device.Reads);
        Assert.Equal(0, test.Cache.GetStatistics().PrefetchedPages);
    }

    [Fact]
    public async Task A_random_reader_wastes_next_to_nothing()
    {
        await using TestCache test = await OpenAsync(pages: 100_000, memory: 4 << 20);
        Random random = new(7);
        for (int i = 0; i < 20_000; i++)
        {
            test.Mapping.Read(random.Next(100_000)).Dispose();
        }

        // RA-6: chance makes neighbours of 16 in 100,000 now and then.
        Assert.InRange(test.Cache.GetStatistics().PrefetchedPages, 0, 100);
    }

    [Fact]
    public async Task Where_chance_makes_neighbours_often_waste_is_noticed_and_ends()
    {
        await using TestCache test = await OpenAsync(pages: 3000, memory: 2 << 20);
        Random random = new(11);
        for (int i = 0; i < 60_000; i++)
        {
            test.Mapping.Read(random.Next(3000)).Dispose();
        }

        // RA-6: with 16 of 3,000 pages neighbours of the last misses, one miss in 200 would begin a stream of four pages.
        PageCacheStatistics statistics = test.Cache.GetStatistics();
        Assert.InRange(statistics.PrefetchedPages, 1, statistics.Misses / 100);
    }

    [Theory]
    [InlineData(20)]
    [InlineData(29)]
    [InlineData(45)]
    public void A_miss_in_the_midst_of_a_streams_windows_or_far_beyond_does_not_lead_it_astray(long stray)
    {
        StreamTable table = new();
        ReadAheadLimits limits = new(Window: 64, Scan: 10_000, Spare: 10_000);
        Assert.False(table.OnMiss(0, AccessPattern.Normal, limits, out _));
        Assert.True(table.OnMiss(1, AccessPattern.Normal, limits, out _));
        Assert.True(table.OnMark(2, AccessPattern.Normal, limits, out _));
        Assert.True(table.OnMark(6, AccessPattern.Normal, limits, out ReadAheadStep step));
        Assert.Equal((14, 16), (step.FirstPage, step.Count));

        Assert.False(table.OnMiss(stray, AccessPattern.Normal, limits, out _));

        Assert.True(table.OnMark(14, AccessPattern.Normal, limits, out step));
        Assert.Equal((30, 32), (step.FirstPage, step.Count));
    }

    [Fact]
    public void A_stream_whose_mark_alone_was_lost_goes_on_behind_its_windows()
    {
        StreamTable table = new();
        ReadAheadLimits limits = new(Window: 64, Scan: 10_000, Spare: 10_000);
        table.OnMiss(0, AccessPattern.Normal, limits, out _);
        table.OnMiss(1, AccessPattern.Normal, limits, out _);
        table.OnMark(2, AccessPattern.Normal, limits, out _);
        table.OnWaste(6);
        Assert.True(table.OnMiss(6, AccessPattern.Normal, limits, out ReadAheadStep step));
        Assert.Equal((14, 16), (step.FirstPage, step.Count));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(20)]
    [InlineData(70)]
    public async Task Where_streams_end_early_windows_are_no_longer_than_what_was_read(int length)
    {
        const int Pages = 1_000_000;
        await using TestCache test = await OpenAsync(pages: Pages, memory: 16 << 20);
        Random random = new(3);
        const int Ranges = 3000;
        for (int i = 0; i < Ranges; i++)
        {
            long from = random.Next(Pages - length);
            for (long page = from; page < from + length; page++)
            {
                test.Mapping.Read(page).Dispose();
            }
        }

        Assert.InRange(test.Device.ReadCalls.Sum(call => (long)call.Segments), Ranges * length, Ranges * length * 5 / 2);
    }

    [Fact]
    public async Task A_window_of_which_little_was_used_is_followed_by_a_smaller_one()
    {
        await using TestCache test = await OpenAsync(pages: 100_000, memory: 32 << 20);
        for (long page = 0; page < 600; page++)
        {
            test.Mapping.Read(page).Dispose();
        }

        int before = test.Device.ReadCalls[^1].Segments;
        Assert.Equal(256, before);

        // What has been read ahead goes before it is read.
        Wait.Until(
            () =>
            {
                test.Cache.Core.Reclaimer.Evict(int.MaxValue);
                return !test.IsResident(700) && !test.IsResident(test.Device.ReadCalls[^1].Page + 200);
            },
            "the windows to be evicted");
        long wasted = test.Cache.GetStatistics().PrefetchedPagesUnused;
        Assert.InRange(wasted, 200, 700);
        int calls = test.Device.ReadCalls.Count;
        for (long page = 600; page < 1200; page++)
        {
            test.Mapping.Read(page).Dispose();
        }

        // One page that is missed may be anybody's; its neighbour tells.
        Assert.Equal([1, 128, 1], test.Device.ReadCalls.Skip(calls).Select(call => call.Segments).Take(3));
    }

    [Fact]
    public async Task A_mapping_that_is_read_at_random_is_left_alone()
    {
        await using TestCache test = await OpenAsync(pattern: AccessPattern.Random);
        for (long page = 0; page < 300; page++)
        {
            test.Mapping.Read(page).Dispose();
        }

        Assert.Equal(300, test.Device.Reads);
        test.Mapping.AccessPattern = AccessPattern.Normal;
        for (long page = 300; page < 320; page++)
        {
            test.Mapping.Read(page).Dispose();
        }

        Assert.InRange(test.Device.Reads, 303, 306);
    }

    [Theory]
    [InlineData(+1)]
    [InlineData(-1)]
    public async Task A_mapping_that_is_read_in_order_has_large_windows_from_the_start(int direction)
    {
        await using TestCache test = await OpenAsync(pattern: AccessPattern.Sequential);
        for (long step = 0; step < 500; step++)
        {
            test.Mapping.Read(2000 + (direction * step)).Dispose();
        }

        Assert.InRange(test.Device.Reads, 3, 6);
    }

    [Fact]
    public async Task Nothing_is_read_ahead_with_a_limit_of_nothing()
    {
        ScriptedDevice device = new(100);
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 4 << 20, ReadAheadLimit = 0 });
        Mapping mapping = await cache.OpenAsync(device, new MappingOptions { AccessPattern = AccessPattern.Sequential });
        for (long page = 0; page < 100; page++)
        {
            mapping.Read(page).Dispose();
        }

        Assert.Equal(100, device.Reads);
    }

    [Fact]
    public async Task Nothing_is_read_beyond_the_end()
    {
        await using TestCache test = await OpenAsync(pages: 37);
        for (long page = 0; page < 37; page++)
        {
            test.Mapping.Read(page).Dispose();
        }

        Assert.All(test.Device.ReadCalls, call => Assert.InRange(call.EndPage, 1, 37));
        Assert.Throws<PageTruncatedException>(() => test.Mapping.Read(37));
        AssertOneReadPerPage(test);
    }

    [Fact]
    public async Task A_bad_page_that_was_read_ahead_is_told_to_the_one_who_asks_for_it()
    {
        await using TestCache test = await OpenAsync();
        test.Device.Fault = call => call.Page <= 40 && call.EndPage > 40 ? ScriptedDevice.Eio(call) : null;

        // RA-2: those around it are had; it is asked for, and only then is there an error.
        for (long page = 0; page < 100; page++)
        {
            if (page == 40)
            {
                PageReadException error = Assert.Throws<PageReadException>(() => test.Mapping.Read(40));
                Assert.Contains("40", error.Message, StringComparison.Ordinal);
            }
            else
            {
                test.Mapping.Read(page).Dispose();
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_demanded_page_has_its_frame_before_any_that_are_read_ahead(bool isAsync)
    {
        await using TestCache test = await OpenAsync(pages: 1000, memory: TestCache.Smallest);
        test.Mapping.AccessPattern = AccessPattern.Random;
        List<PagePin> pins = [];
        for (int page = 900; test.Cache.Core.Frames.Available > test.Cache.Core.Frames.Reserve + 1; page++)
        {
            pins.Add(test.Mapping.Pin(page));
        }

        // RA-8: there is one frame, and what is read ahead would keep it.
        test.Mapping.AccessPattern = AccessPattern.Sequential;
        test.Device.Hold = _ => true;
        int calls = test.Device.ReadCalls.Count;
        Task reader = isAsync ? test.Mapping.ReadAsync(0).AsTask().ContinueWith(task => task.Result.Dispose()) : Task.Run(() => test.Mapping.Read(0).Dispose());
        test.Device.WaitForHeld(1);
        Assert.Equal([(0L, 1)], test.Device.ReadCalls.Skip(calls).Select(call => (call.Page, call.Segments)));
        Assert.Equal(0, test.Cache.GetStatistics().FrameWaits);
        test.Device.ReleaseAll();
        await reader.InTime();
        pins.ForEach(pin => pin.Dispose());
    }

    [Fact]
    public async Task Nothing_is_read_ahead_while_somebody_waits_for_a_frame()
    {
        await using TestCache test = await OpenAsync(pages: 1000, memory: TestCache.Smallest, pattern: AccessPattern.Random);
        List<PagePin> pins = [];
        for (int page = 900; test.Cache.Core.Frames.Available > test.Cache.Core.Frames.Reserve; page++)
        {
            pins.Add(test.Mapping.Pin(page));
        }

        Task<PageReadLease> waiting = test.Mapping.ReadAsync(0).AsTask();
        Wait.Until(() => test.Cache.Core.FrameQueue.Count == 1, "the reader to wait for a frame");

        // RA-8: even what could be had or evicted now is not for those who look ahead.
        long before = test.Cache.GetStatistics().PrefetchedPages;
        Assert.Equal(0, test.Mapping.Prefetch(100, 10));
        using PageReadStream stream = test.Mapping.OpenReadStream([100, 101, 102]);
        Assert.Equal(before, test.Cache.GetStatistics().PrefetchedPages);
        pins.ForEach(pin => pin.Dispose());
        (await waiting.InTime()).Dispose();
        Assert.InRange(test.Mapping.Prefetch(100, 10), 1, 10);
    }

    private static Task<TestCache> OpenAsync(long pages = FileFrames, long memory = 64 << 20, AccessPattern pattern = AccessPattern.Normal) =>
        TestCache.OpenAsync(pages: pages, memory: memory, pattern: pattern);

    private static async Task ReadAsync(TestCache test, long page, string way)
    {
        Mapping mapping = test.Mapping;
        switch (way)
        {
            case "read":
                mapping.Read(page).Dispose();
                break;
            case "async":
                (await mapping.ReadAsync(page).AsTask().InTime()).Dispose();
                break;
            case "pin":
                mapping.Pin(page).Dispose();
                break;
            case "optimistic":
                _ = mapping.ReadOptimistic(page);
                break;
            case "write":
                mapping.Write(page).Dispose();
                break;
            default:
                // A try brings nothing in, but it takes marks off.
                if (mapping.TryReadOptimistic(page, out _))
                {
                    break;
                }

                if (mapping.TryPin(page, out PagePin pin))
                {
                    pin.Dispose();
                    break;
                }

                mapping.Read(page).Dispose();
                break;
        }
    }

    private static void AssertOneReadPerPage(TestCache test)
    {
        HashSet<long> seen = [];
        foreach (DeviceCall call in test.Device.ReadCalls)
        {
            for (long page = call.Page; page < call.EndPage; page++)
            {
                Assert.True(seen.Add(page), $"page {page} was read twice");
            }
        }
    }
}
