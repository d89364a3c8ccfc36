using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.ReadAhead;

public sealed class PageReadStreamTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Pages_come_pinned_in_the_order_that_was_asked_for(bool isAsync)
    {
        await using TestCache test = await OpenAsync();
        Random random = new(5);
        long[] pages = [.. Enumerable.Range(0, 3000).Select(_ => random.NextInt64(4000))];
        using PageReadStream stream = test.Mapping.OpenReadStream(pages);
        foreach (long page in pages)
        {
            Assert.True(isAsync ? await stream.MoveNextAsync() : stream.MoveNext());
            Assert.Equal(page, stream.Page);
            Assert.Equal(1, test.Cache.GetStatistics().PinsHeld);
            using PageReadLease lease = isAsync ? await stream.ReadAsync() : stream.Read();
            Assert.Equal((byte)page, lease.Span[17]);
            Assert.True(stream.TryReadOptimistic(out OptimisticRead read) && read.Validate());
        }

        Assert.False(isAsync ? await stream.MoveNextAsync() : stream.MoveNext());
        Assert.Equal(0, test.Cache.GetStatistics().PinsHeld);
    }

    [Fact]
    public async Task Neighbours_travel_in_one_request_and_the_distance_grows_to_its_limit()
    {
        await using TestCache test = await OpenAsync();
        using PageReadStream stream = test.Mapping.OpenReadStream(Pages(0, 2000), new PageReadStreamOptions { MaximumDistance = 64 });
        while (stream.MoveNext())
        {
        }

        Assert.Equal([1, 2, 3, 5, 9], test.Device.ReadCalls.Select(call => call.Segments).Take(5));
        Assert.Equal(64, stream.Distance);
        Assert.InRange(test.Device.Reads, 2000 / 64, 2000 / 24);
        Assert.Equal(2000, test.Device.ReadCalls.Sum(call => call.Segments));
        Assert.Equal(0, test.Cache.GetStatistics().Misses);
    }

    [Fact]
    public async Task The_distance_falls_where_pages_are_in_memory()
    {
        await using TestCache test = await OpenAsync();
        for (long page = 1000; page < 3000; page++)
        {
            test.Mapping.Read(page).Dispose();
        }

        using PageReadStream stream = test.Mapping.OpenReadStream(Pages(0, 3000));
        while (stream.MoveNext() && stream.Page < 999)
        {
        }

        Assert.InRange(stream.Distance, 64, 256);
        while (stream.MoveNext() && stream.Page < 2500)
        {
        }

        Assert.Equal(1, stream.Distance);
    }

    [Fact]
    public async Task Page_numbers_are_taken_no_further_ahead_than_the_distance()
    {
        await using TestCache test = await OpenAsync();
        int taken = 0;
        IEnumerable<long> Numbers()
        {
            while (true)
            {
                yield return taken++;
            }
        }

        using PageReadStream stream = test.Mapping.OpenReadStream(Numbers(), new PageReadStreamOptions { MaximumDistance = 10 });
        Assert.Equal(0, taken);
        for (int moved = 1; moved < 500; moved++)
        {
            Assert.True(stream.MoveNext());
            Assert.InRange(taken, moved, moved + 10);
        }
    }

    [Fact]
    public async Task A_page_that_cannot_be_had_is_passed_over_by_the_next_move()
    {
        await using TestCache test = await OpenAsync();
        test.Device.Fault = call => call.Page <= 3 && call.EndPage > 3 ? ScriptedDevice.Eio(call) : null;
        using PageReadStream stream = test.Mapping.OpenReadStream([1, 3, 4000, -1, 2]);
        Assert.Throws<InvalidOperationException>(() => stream.Page);
        Assert.Throws<InvalidOperationException>(() => stream.Read());
        Assert.Throws<InvalidOperationException>(() => stream.Pin());
        stream.Release();
        Assert.True(stream.MoveNext());
        Assert.Throws<PageReadException>(() => stream.MoveNext());
        Assert.Throws<InvalidOperationException>(() => stream.Page);
        await Assert.ThrowsAsync<PageTruncatedException>(() => stream.MoveNextAsync().AsTask());
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.MoveNext());
        Assert.True(stream.MoveNext());
        Assert.Equal(2, stream.Page);
        Assert.False(stream.MoveNext());
        Assert.False(stream.MoveNext());
    }

    [Fact]
    public async Task A_page_can_be_kept_longer_than_it_is_the_current_one_and_given_back_before()
    {
        await using TestCache test = await OpenAsync();
        using PageReadStream stream = test.Mapping.OpenReadStream(Pages(0, 10));
        Assert.True(stream.MoveNext());
        using (PagePin kept = stream.Pin())
        {
            Assert.Equal(2, test.Cache.GetStatistics().PinsHeld);
            stream.Release();
            stream.Release();
            Assert.Throws<InvalidOperationException>(() => stream.Page);
            Assert.Equal(1, test.Cache.GetStatistics().PinsHeld);
            Assert.True(stream.MoveNext());
            Assert.Equal(1, stream.Page);
            Assert.Equal(0, kept.Page);
            kept.Read().Dispose();
        }

        Assert.Equal(1, test.Cache.GetStatistics().PinsHeld);
    }

    [Fact]
    public async Task Pages_for_which_there_was_no_frame_are_read_ahead_once_there_is_one()
    {
        await using TestCache test = await OpenAsync(memory: 2 << 20);
        using PageReadStream stream = test.Mapping.OpenReadStream(Pages(1000, 1000));
        for (int moved = 0; moved < 100; moved++)
        {
            Assert.True(stream.MoveNext());
        }

        // Nothing is left to look ahead with, for one move; then everything again.
        int distance = stream.Distance;
        Assert.InRange(distance, 30, 100);
        int reserve = test.Cache.Core.Frames.Reserve;
        test.Cache.Core.Frames.Reserve = int.MaxValue;
        while (stream.Distance >= distance)
        {
            Assert.True(stream.MoveNext());
        }

        test.Cache.Core.Frames.Reserve = reserve;
        long misses = test.Cache.GetStatistics().Misses;
        while (stream.MoveNext())
        {
        }

        Assert.InRange(test.Cache.GetStatistics().Misses - misses, 0, 10);
    }

    [Fact]
    public async Task A_cancelled_move_leaves_the_stream_usable()
    {
        await using TestCache test = await OpenAsync();
        test.Device.Hold = _ => true;
        using PageReadStream stream = test.Mapping.OpenReadStream(Pages(0, 100));
        using CancellationTokenSource source = new();
        Task<bool> move = stream.MoveNextAsync(source.Token).AsTask();
        test.Device.WaitForHeld(1);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => move);
        test.Device.ReleaseAll();
        Assert.True(await stream.MoveNextAsync());
        Assert.Equal(1, stream.Page);
    }

    [Fact]
    public async Task A_stream_in_a_cache_whose_frames_are_taken_gets_on_a_page_at_a_time()
    {
        await using TestCache test = await OpenAsync(memory: TestCache.Smallest);
        List<PagePin> pins = [];
        for (int page = 0; page < test.Frames - 8; page++)
        {
            pins.Add(test.Mapping.Pin(page));
        }

        using PageReadStream stream = test.Mapping.OpenReadStream(Pages(500, 600));
        int moved = 0;
        while (stream.MoveNext())
        {
            moved++;
        }

        Assert.Equal(600, moved);
        pins.ForEach(pin => pin.Dispose());
    }

    [Fact]
    public async Task Disposal_returns_the_pin_and_ends_the_callers_sequence()
    {
        await using TestCache test = await OpenAsync();
        bool isEnded = false;
        IEnumerable<long> Numbers()
        {
            try
            {
                for (long page = 0; ; page++)
                {
                    yield return page;
                }
            }
            finally
            {
                isEnded = true;
            }
        }

        PageReadStream stream = test.Mapping.OpenReadStream(Numbers());
        Assert.True(stream.MoveNext());
        stream.Dispose();
        stream.Dispose();
        Assert.True(isEnded);
        Assert.Equal(0, test.Cache.GetStatistics().PinsHeld);
        Assert.Throws<ObjectDisposedException>(() => stream.MoveNext());
    }

    [Fact]
    public async Task Bad_arguments_are_refused()
    {
        await using TestCache test = await OpenAsync();
        Assert.Throws<ArgumentNullException>(() => test.Mapping.OpenReadStream(null!));
        foreach (int distance in (int[])[0, -1, 4097])
        {
            ArgumentOutOfRangeException error = Assert.Throws<ArgumentOutOfRangeException>(
                () => test.Mapping.OpenReadStream([], new PageReadStreamOptions { MaximumDistance = distance }));
            Assert.Equal("options.MaximumDistance", error.ParamName);
        }
    }

    private static async Task<TestCache> OpenAsync(long memory = 32 << 20)
    {
        TestCache test = await TestCache.OpenAsync(pages: 4000, memory: memory);
        for (long page = 0; page < 4000; page++)
        {
            test.Device.Fill(page, (byte)page);
        }

        return test;
    }

    private static IEnumerable<long> Pages(long from, int count) => Enumerable.Range(0, count).Select(page => from + page);

    [Fact]
    public async Task A_stream_of_a_closed_mapping_evicts_nobody()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: TestCache.Smallest);
        Mapping closed = await test.Cache.OpenAsync(new ScriptedDevice(1000));
        using PageReadStream stream = closed.OpenReadStream(Enumerable.Range(0, 100).Select(page => (long)page));
        await closed.CloseAsync();
        for (int i = 0; i < 200; i++)
        {
            test.Mapping.Read(i % 50).Dispose();
        }

        long evictions = test.Cache.GetStatistics().Evictions;
        for (int i = 0; i < 20; i++)
        {
            Assert.Throws<MappingClosedException>(() => stream.MoveNext());
        }

        Assert.Equal(evictions, test.Cache.GetStatistics().Evictions);
    }

    [Fact]
    public async Task A_move_that_ends_after_its_stream_holds_nothing()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Device.Hold = _ => true;
        PageReadStream stream = test.Mapping.OpenReadStream([1, 2, 3]);
        Task<bool> move = stream.MoveNextAsync().AsTask();
        stream.Dispose();
        test.Device.ReleaseAll();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => move.InTime());
        Assert.Equal(0, test.Cache.GetStatistics().PinsHeld);
    }
}
