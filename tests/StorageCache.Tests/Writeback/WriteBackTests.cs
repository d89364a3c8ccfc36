using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Writeback;

public class WriteBackTests
{
    [Fact]
    public async Task Neighbours_travel_in_one_write_in_page_order()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 2000, memory: 16 << 20);
        foreach (int page in Enumerable.Range(0, 600).Reverse().Concat([700, 702, 703, 1500, 511 + 1024]))
        {
            test.Fill(page, (byte)(page + 1));
        }

        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(
            [(0L, 256), (256L, 256), (512L, 88), (700L, 1), (702L, 2), (1500L, 1), (1535L, 1)],
            test.Device.WriteCalls.Select(call => (call.Page, call.Segments)));
        Assert.Equal(1, test.Device.Flushes);
        for (int page = 0; page < 600; page++)
        {
            Assert.Equal((byte)(page + 1), test.Device.Bytes(page)[4095]);
        }
    }

    /// <remarks>WB-7.</remarks>
    [Fact]
    public async Task The_last_page_is_cut_to_the_length()
    {
        ScriptedDevice device = new();
        await device.Memory.SetLengthAsync((2 * 4096) + 7, default);
        await using TestCache test = await TestCache.OpenAsync(device: device);
        test.Fill(2, 0xaa);
        test.Fill(1, 0xaa);
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal([(1L, 4096 + 7)], device.WriteCalls.Select(call => (call.Page, call.Bytes)));
        Assert.Equal((2 * 4096) + 7, device.Length);
    }

    [Fact]
    public async Task A_writer_during_write_back_breaks_away_and_the_device_gets_the_old_bytes_and_then_the_new()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(5, 1);
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        Task first = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        PageWriteLease write = test.Mapping.Write(5);
        Assert.Equal(1, write.Span[0]);
        write.Span.Fill(2);
        write.MarkDirty();
        write.Dispose();
        Assert.Equal(1, test.Cache.GetStatistics().Breaks);
        Assert.Equal(2, test.ByteOf(5));

        // The second flush stands behind the first one's write: at most one write of a page (WB-2).
        Task second = test.Mapping.FlushAsync().AsTask();
        await Task.Delay(20);
        Assert.Equal(1, test.Device.HeldCount);
        test.Device.ReleaseHeld();
        await first.InTime();
        Assert.Equal(1, test.Device.Bytes(5)[0]);
        test.Device.WaitForHeld(1);
        test.Device.ReleaseAll();
        await second.InTime();
        Assert.Equal(2, test.Device.Bytes(5)[0]);
        Assert.False(test.Device.SawOverlappingWrites);
        test.AssertSound();
    }

    [Fact]
    public async Task A_page_is_protected_only_while_its_write_is_under_way()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(5, 1);
        await test.Mapping.FlushAsync().InTime();
        test.Fill(5, 2);
        Assert.Equal(0, test.Cache.GetStatistics().Breaks);
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        Task flush = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        test.Mapping.Read(5).Dispose();
        test.Mapping.Pin(5).Dispose();
        Assert.True(test.Mapping.ReadOptimistic(5).Validate());
        Assert.Equal(0, test.Cache.GetStatistics().Breaks);
        test.Mapping.Write(5).Dispose();
        test.Mapping.Write(5).Dispose();
        Assert.Equal(1, test.Cache.GetStatistics().Breaks);
        test.Device.ReleaseAll();
        await flush.InTime();
    }

    [Fact]
    public async Task A_failed_write_of_a_page_that_broke_away_leaves_the_newer_bytes_dirty()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(5, 1);
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        test.Device.Fault = call => call.Operation == BlockOperation.Write ? ScriptedDevice.Eio(call) : null;
        Task flush = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        test.Fill(5, 2);
        test.Device.ReleaseAll();
        await Assert.ThrowsAsync<PageWriteException>(() => flush.InTime());
        Assert.Equal(1, test.Cache.GetStatistics().DirtyPages);
        test.Device.Fault = null;
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(2, test.Device.Bytes(5)[0]);
    }

    /// <remarks>WB-1.</remarks>
    [Fact]
    public async Task A_flush_covers_what_was_dirty_before_it_while_others_keep_dirtying()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 200, memory: 8 << 20);
        bool stop = false;
        int[] versions = new int[200];
        Task[] writers = [.. Enumerable.Range(0, 2).Select(number => Task.Factory.StartNew(
            () =>
            {
                Random random = new(number);
                while (!Volatile.Read(ref stop))
                {
                    int page = random.Next(200);
                    using PageWriteLease lease = test.Mapping.Write(page);
                    int version = BitConverter.ToInt32(lease.Span) + 1;
                    BitConverter.TryWriteBytes(lease.Span, version);
                    BitConverter.TryWriteBytes(lease.Span[4092..], version);
                    lease.MarkDirty();
                    Volatile.Write(ref versions[page], version);
                }
            },
            TaskCreationOptions.LongRunning))];
        for (int i = 0; i < 60; i++)
        {
            int[] before = [.. versions];
            await test.Mapping.FlushAsync().InTime();
            for (int page = 0; page < 200; page++)
            {
                byte[] bytes = test.Device.Bytes(page);
                Assert.True(BitConverter.ToInt32(bytes) >= before[page], $"round {i}, page {page}");
            }
        }

        Volatile.Write(ref stop, true);
        await Task.WhenAll(writers).InTime();
        Assert.False(test.Device.SawOverlappingWrites);
        await test.Mapping.FlushAsync().InTime();
        for (int page = 0; page < 200; page++)
        {
            byte[] bytes = test.Device.Bytes(page);
            Assert.Equal(versions[page], BitConverter.ToInt32(bytes));
            Assert.Equal(versions[page], BitConverter.ToInt32(bytes, 4092));
        }
    }

    [Fact]
    public async Task A_flush_waits_for_a_dirty_page_that_is_latched()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(4, 1);
        test.Fill(5, 1);
        PageWriteLease lease = test.Mapping.Write(5);
        Task flush = test.Mapping.FlushAsync().AsTask();
        await Task.Delay(20);
        Assert.False(flush.IsCompleted);
        Assert.Equal(1, test.Device.Bytes(4)[0]);
        lease.Span.Fill(2);
        lease.MarkDirty();
        lease.Dispose();
        await flush.InTime();
        Assert.Equal(2, test.Device.Bytes(5)[0]);
    }

    [Fact]
    public async Task A_flush_can_be_cancelled_and_nothing_is_forgotten()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(5, 1);
        using CancellationTokenSource source = new();
        PageWriteLease lease = test.Mapping.Write(5);
        Task flush = test.Mapping.FlushAsync(source.Token).AsTask();
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => flush.InTime());
        lease.Dispose();
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(1, test.Device.Bytes(5)[0]);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => test.Mapping.FlushAsync(new CancellationToken(true)).InTime());
    }

    [Fact]
    public async Task A_shared_lease_does_not_hold_a_write_up()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(5, 1);
        using PageReadLease lease = test.Mapping.Read(5);
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(1, test.Device.Bytes(5)[0]);
    }

    [Fact]
    public async Task A_page_is_not_evicted_while_its_write_is_under_way()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 2000, memory: TestCache.Smallest);
        test.Fill(5, 1);
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        Task flush = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        for (int page = 100; page < 400; page++)
        {
            test.Mapping.Read(page).Dispose();
        }

        Assert.True(test.IsResident(5));
        test.Device.ReleaseAll();
        await flush.InTime();
        test.Evict(5);
        Assert.Equal(1, test.ByteOf(5));
    }

    /// <remarks>WB-6: a writer is paused, but never for good, also when no write ever ends.</remarks>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Throttled_writers_make_progress_while_the_device_stands_still(bool async)
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 400, memory: TestCache.Smallest, dirtyBackground: 0.05, dirtyLimit: 0.2);
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        for (int page = 0; page < 20; page++)
        {
            using PageWriteLease lease = async ? await test.Mapping.WriteAsync(page).InTime() : test.Mapping.Write(page);
            lease.Span.Fill(7);
            lease.MarkDirty();
        }

        Assert.True(test.Cache.GetStatistics().ThrottledWrites > 0);
        test.Device.ReleaseAll();
    }

    [Fact]
    public async Task A_throttled_writer_can_be_cancelled_and_timed_out()
    {
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(pages: 400, memory: TestCache.Smallest, dirtyBackground: 0.05, dirtyLimit: 0.1, time: time);
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        for (int page = 0; !test.Cache.Core.WriteBack.Throttle.IsActive; page++)
        {
            test.Fill(page, 1);
        }

        using CancellationTokenSource source = new();
        Task<PageWriteLease> cancelled = test.Mapping.WriteAsync(100, source.Token).AsTask();
        Task<PageWriteLease> late = test.Mapping.WriteAsync(101, TimeSpan.FromMilliseconds(1)).AsTask();
        Task<PageWriteLease> patient = test.Mapping.WriteAsync(102).AsTask();
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled.InTime());
        time.Advance(TimeSpan.FromMilliseconds(1));
        await Assert.ThrowsAsync<LatchTimeoutException>(() => late.InTime());
        Assert.False(patient.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(200));
        (await patient.InTime()).Dispose();
        test.Device.ReleaseAll();
    }

    /// <summary>A pin and an optimistic read are no way past the pause.</summary>
    [Fact]
    public async Task Writers_through_a_pin_or_an_upgrade_are_held_back_as_others_are()
    {
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(pages: 400, memory: TestCache.Smallest, dirtyBackground: 0.05, dirtyLimit: 0.1, time: time);
        using PagePin pin = test.Mapping.Pin(100);
        using PagePin second = test.Mapping.Pin(101);
        OptimisticRead read = test.Mapping.ReadOptimistic(100);
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        for (int page = 0; !test.Cache.Core.WriteBack.Throttle.IsActive; page++)
        {
            test.Fill(page, 1);
        }

        long throttled = test.Cache.GetStatistics().ThrottledWrites;

        Assert.False(read.TryUpgrade(out PageWriteLease _));
        Task<PageWriteLease> paused = pin.WriteAsync().AsTask();
        Task<PageWriteLease> blocked = Task.Factory.StartNew(() => second.Write(), TaskCreationOptions.LongRunning);
        Wait.Until(() => test.Cache.GetStatistics().ThrottledWrites == throttled + 2, "both to be paused");
        Assert.False(paused.IsCompleted);

        // What is only tried is not held back.
        Assert.True(pin.TryWrite(out PageWriteLease tried));
        tried.Dispose();
        // A pause begins only after it was counted, so time may have to pass once more.
        Wait.Until(
            () =>
            {
                time.Advance(TimeSpan.FromMilliseconds(200));
                return paused.IsCompleted && blocked.IsCompleted;
            },
            "the pauses to end");
        (await paused).Dispose();
        (await blocked).Dispose();
        test.Device.ReleaseAll();
    }

    [Fact]
    public async Task Background_write_back_starts_at_the_ratio_and_stops_at_half_of_it()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 400, dirtyBackground: 0.1, dirtyLimit: 0.9);
        int background = (int)(test.Frames * 0.1);
        for (int page = 0; page < background; page++)
        {
            test.Fill(page * 2, 1);
        }

        await Task.Delay(20);
        Assert.Equal(0, test.Device.Writes);
        test.Fill(399, 1);
        Wait.Until(() => test.Cache.GetStatistics().DirtyPages <= background / 2, "write-back");
        await Task.Delay(20);
        Assert.InRange(test.Cache.GetStatistics().DirtyPages, 1, background / 2);
    }
}
