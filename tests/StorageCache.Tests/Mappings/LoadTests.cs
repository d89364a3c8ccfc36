using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Mappings;

public class LoadTests
{
    /// <remarks>M-1.</remarks>
    [Fact]
    public async Task A_miss_is_single_flight()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Device.Hold = _ => true;
        Task[] tasks =
        [
            .. Enumerable.Range(0, 100).Select(async _ => (await test.Mapping.ReadAsync(1)).Dispose()),
            .. Enumerable.Range(0, 20).Select(async _ => (await test.Mapping.PinAsync(1)).Dispose()),
            .. Enumerable.Range(0, 20).Select(async _ => (await test.Mapping.WriteAsync(1)).Dispose()),
            .. Enumerable.Range(0, 20).Select(async _ => (await test.Mapping.ReadOptimisticAsync(1)).Validate()),
            .. Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(() => test.Mapping.Read(1).Dispose(), TaskCreationOptions.LongRunning)),
        ];
        Assert.Equal(0, test.Mapping.Prefetch(1, 1));
        test.WaitForWaiters(1, 164);
        Assert.Equal(1, test.Device.HeldCount);
        test.Device.ReleaseAll();
        await Task.WhenAll(tasks).InTime();
        Assert.Equal(1, test.Device.Reads);
        PageCacheStatistics statistics = test.Cache.GetStatistics();
        Assert.Equal(1, statistics.Misses);
        Assert.Equal(4096, statistics.BytesRead);
    }

    [Fact]
    public async Task Racing_misses_of_many_threads_read_each_page_once()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 300);
        using Barrier barrier = new(3);
        Task[] tasks = [.. Enumerable.Range(0, 3).Select(_ => Task.Factory.StartNew(
            () =>
            {
                barrier.SignalAndWait();
                for (int page = 0; page < 300; page++)
                {
                    test.Mapping.Read(page).Dispose();
                }
            },
            TaskCreationOptions.LongRunning))];
        await Task.WhenAll(tasks).InTime();
        Assert.Equal(300, test.Device.Reads);
    }

    /// <remarks>M-4.</remarks>
    [Fact]
    public async Task What_lies_beyond_the_end_reads_as_zeros_whatever_the_frame_held()
    {
        ScriptedDevice device = new();
        await device.Memory.SetLengthAsync((200 * 4096) + 100, default);
        for (int page = 0; page < 200; page++)
        {
            device.Fill(page, 0xff);
        }

        device.Memory.Write(200 * 4096, Enumerable.Repeat((byte)0xff, 100).ToArray());
        await using TestCache test = await TestCache.OpenAsync(device: device, memory: TestCache.Smallest);
        for (int page = 0; page < 200; page++)
        {
            Assert.Equal(0xff, test.ByteOf(page));
        }

        Assert.Equal(201, test.Mapping.PageCount);
        using PageReadLease lease = test.Mapping.Read(200);
        Assert.True(lease.Span[..100].IndexOfAnyExcept((byte)0xff) < 0);
        Assert.True(lease.Span[100..].IndexOfAnyExcept((byte)0) < 0);
    }

    [Fact]
    public async Task A_page_between_the_end_of_the_device_and_that_of_the_mapping_is_zero()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1);
        await test.Mapping.ExtendAsync(10 * 4096);
        for (int page = 0; page < 10; page++)
        {
            Assert.Equal(0, test.ByteOf(page));
        }

        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(10 * 4096, test.Device.Length);
    }

    [Fact]
    public async Task Prefetch_brings_neighbours_in_one_request()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 300);
        for (int page = 0; page < 300; page++)
        {
            test.Device.Fill(page, (byte)page);
        }

        test.Mapping.Read(20).Dispose();
        Assert.Equal(39, test.Mapping.Prefetch(0, 40));
        Assert.Equal([(20L, 1), (0L, 20), (21L, 19)], test.Device.ReadCalls.Select(call => (call.Page, call.Segments)));
        for (int page = 0; page < 40; page++)
        {
            Assert.True(test.Mapping.TryRead(page, out PageReadLease lease));
            Assert.Equal((byte)page, lease.Span[4095]);
            lease.Dispose();
        }

        Assert.Equal(0, test.Mapping.Prefetch(0, 40));
        test.AssertSound();
    }

    [Fact]
    public async Task Prefetch_stops_at_the_end_of_the_file_and_at_a_mebibyte_per_request()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 300);
        Assert.Equal(300, test.Mapping.Prefetch(0, int.MaxValue));
        Assert.Equal([256, 44], test.Device.ReadCalls.Select(call => call.Segments));
        Assert.Equal(0, test.Mapping.Prefetch(300, 10));
        Assert.Equal(0, test.Mapping.Prefetch(long.MaxValue, int.MaxValue));
        Assert.Equal(0, test.Mapping.Prefetch(5, 0));
    }

    [Fact]
    public async Task Prefetch_takes_free_frames_only()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: TestCache.Smallest);
        List<PagePin> pins = [];
        while (test.Mapping.Prefetch(pins.Count, 1) == 1)
        {
            pins.Add(test.Mapping.Pin(pins.Count));
        }

        Assert.InRange(pins.Count, 50, test.Frames);
        Assert.Equal(0, test.Mapping.Prefetch(500, 100));
        pins.ForEach(pin => pin.Dispose());
        test.AssertSound();
    }

    [Fact]
    public async Task Whoever_wants_a_page_that_is_being_prefetched_waits_for_it()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Device.Hold = _ => true;
        Assert.Equal(10, test.Mapping.Prefetch(0, 10));
        Task<PageReadLease> reader = test.Mapping.ReadAsync(5).AsTask();
        Assert.False(reader.IsCompleted);
        test.Device.ReleaseAll();
        (await reader.InTime()).Dispose();
        Assert.Equal(1, test.Device.Reads);
    }

    [Fact]
    public async Task A_read_only_mapping_refuses_changes()
    {
        ScriptedDevice device = new(8) { IsReadOnly = true };
        await using TestCache test = await TestCache.OpenAsync(device: device);
        Mapping m = test.Mapping;
        Assert.True(m.IsReadOnly);
        m.Read(1).Dispose();
        Assert.Throws<NotSupportedException>(() => m.Write(1));
        Assert.Throws<NotSupportedException>(() => m.Write(2));
        Assert.Throws<NotSupportedException>(() => m.TryWrite(1, out _));
        Assert.Throws<NotSupportedException>(() => m.WriteNew(1));
        Assert.Throws<NotSupportedException>(() => m.TryWriteNew(1, out _));
        await Assert.ThrowsAsync<NotSupportedException>(() => m.WriteAsync(1).AsTask());
        await Assert.ThrowsAsync<NotSupportedException>(() => m.ExtendAsync(1 << 20).AsTask());
        await Assert.ThrowsAsync<NotSupportedException>(() => m.TruncateAsync(0).AsTask());
        Assert.Throws<NotSupportedException>(() => m.ReadOptimistic(1).TryUpgrade(out PageWriteLease _));
        using PagePin pin = m.Pin(1);
        Assert.Throws<NotSupportedException>(() => pin.Write());
        await m.FlushAsync().InTime();
        Assert.Equal(0, device.Flushes);
    }

    [Fact]
    public async Task A_device_as_long_as_64_bits_can_say_has_all_its_pages()
    {
        await using TestCache test = await TestCache.OpenAsync();
        Mapping mapping = await test.Cache.OpenAsync(new MemoryBlockDevice("endless", long.MaxValue));
        Assert.Equal(1L << 51, mapping.PageCount);
        mapping.Read(0).Dispose();
        using (PageWriteLease last = mapping.Write((1L << 51) - 1))
        {
            last.Span[4094] = 7;
            last.MarkDirty();
        }

        await mapping.FlushAsync().InTime();
        await mapping.CloseAsync().InTime();
    }
}
