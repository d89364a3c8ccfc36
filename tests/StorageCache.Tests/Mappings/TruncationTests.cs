using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Mappings;

public class TruncationTests
{
    /// <remarks>M-3, M-4.</remarks>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_was_cut_off_reads_as_zeros_when_the_file_grows_again(bool evict)
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 600);
        for (int page = 0; page < 600; page += 3)
        {
            test.Fill(page, 0xee);
        }

        await test.Mapping.FlushAsync().InTime();
        test.Fill(9, 0xdd);
        await test.Mapping.TruncateAsync((3 * 4096) + 1000).InTime();
        Assert.Equal((3 * 4096) + 1000, test.Mapping.Length);
        Assert.Equal((3 * 4096) + 1000, test.Device.Length);
        if (evict)
        {
            await test.Mapping.FlushAsync().InTime();
            test.Evict(3);
        }

        await test.Mapping.ExtendAsync(600 * 4096).InTime();
        for (int page = 4; page < 600; page++)
        {
            Assert.Equal(0, test.ByteOf(page));
        }

        using (PageReadLease lease = test.Mapping.Read(3))
        {
            Assert.True(lease.Span[..1000].IndexOfAnyExcept((byte)0xee) < 0);
            Assert.True(lease.Span[1000..].IndexOfAnyExcept((byte)0) < 0);
        }

        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(600 * 4096, test.Device.Length);
        Assert.True(test.Device.Bytes(3).AsSpan(1000).IndexOfAnyExcept((byte)0) < 0);
    }

    [Fact]
    public async Task Truncation_waits_for_leases_of_pages_that_go_and_of_no_others()
    {
        await using TestCache test = await TestCache.OpenAsync();
        using PageWriteLease stays = test.Mapping.Write(1);
        PageReadLease goes = test.Mapping.Read(10);
        Task truncation = test.Mapping.TruncateAsync(5 * 4096).AsTask();
        Assert.False(truncation.IsCompleted);
        Assert.Throws<PageTruncatedException>(() => test.Mapping.Read(11));
        goes.Dispose();
        await truncation.InTime();
        Assert.Equal(1, test.Mapping.ResidentPages);
    }

    [Fact]
    public async Task A_cancelled_truncation_leaves_everything_as_it_was()
    {
        await using TestCache test = await TestCache.OpenAsync();
        for (int page = 0; page < 20; page++)
        {
            test.Fill(page, (byte)(page + 1));
        }

        PageReadLease held = test.Mapping.Read(10);
        using CancellationTokenSource source = new();
        Task truncation = test.Mapping.TruncateAsync(4096, source.Token).AsTask();
        Assert.Equal(4096, test.Mapping.Length);
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => truncation.InTime());
        held.Dispose();
        Assert.Equal(64 * 4096, test.Mapping.Length);
        Assert.Equal(64 * 4096, test.Device.Length);
        for (int page = 0; page < 20; page++)
        {
            Assert.Equal(page + 1, test.ByteOf(page));
        }

        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(20, test.Device.Bytes(19)[0]);
        test.Mapping.WriteNew(100).Dispose();
        Assert.Equal(101 * 4096, test.Mapping.Length);
    }

    /// <summary>
    /// A write that was collected before a truncation lowered the length, and goes out afterwards, writes all it collected:
    /// the truncation is cancelled, and what it did not write would be clean all the same (WB-3).
    /// </summary>
    [Fact]
    public async Task A_write_that_overlaps_a_cancelled_truncation_is_complete()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 64);
        for (int page = 0; page < 4; page++)
        {
            test.Fill(page, 0x42);
        }

        // The run of four fails, and its parts are written while the truncation waits.
        test.Device.Hold = call => call.Operation == StorageCache.IO.BlockOperation.Write;
        test.Device.Fault = call => call.Segments > 1 ? ScriptedDevice.Eio(call) : null;
        test.Cache.Core.WriteBack.Kick(urgent: true);
        test.Device.WaitForHeld(1);
        PageReadLease held = test.Mapping.Read(3);
        using CancellationTokenSource source = new();
        Task truncation = test.Mapping.TruncateAsync(4096, source.Token).AsTask();
        Assert.Equal(4096, test.Mapping.Length);
        test.Device.ReleaseAll();
        Wait.Until(() => test.Cache.Core.WriteBack.InUse == 0, "the parts to be written");
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => truncation.InTime());
        held.Dispose();
        await test.Mapping.FlushAsync().InTime();
        for (int page = 0; page < 4; page++)
        {
            test.Evict(page);
            Assert.Equal(0x42, test.ByteOf(page));
        }
    }

    /// <summary>A write that failed as a run and is under way page by page is waited for before the file is cut (WB-3).</summary>
    [Fact]
    public async Task Truncation_waits_for_the_parts_of_a_failed_write()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 64);
        for (int page = 0; page < 4; page++)
        {
            test.Fill(page, 0x42);
        }

        test.Device.Fault = call => call.Segments > 1 ? ScriptedDevice.Eio(call) : null;
        test.Device.Hold = call => call.Operation == StorageCache.IO.BlockOperation.Write;
        test.Cache.Core.WriteBack.Kick(urgent: true);
        test.Device.WaitForHeld(1);
        Task truncation = test.Mapping.TruncateAsync(4096).AsTask();
        Assert.Equal(4096, test.Mapping.Length);
        test.Device.ReleaseHeld();
        test.Device.WaitForHeld(4);
        await Task.Delay(30);
        Assert.False(truncation.IsCompleted);
        test.Device.ReleaseAll();
        await truncation.InTime();
        Assert.Equal(4096, test.Device.Length);
    }

    [Fact]
    public async Task A_pin_does_not_hold_a_truncation_up_and_follows_the_page_back()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(10, 9);
        PagePin pin = test.Mapping.Pin(10);
        OptimisticRead read = test.Mapping.ReadOptimistic(10);
        await test.Mapping.TruncateAsync(4096).InTime();
        Assert.False(read.Validate());
        Assert.False(pin.TryRead(out _));
        Assert.False(pin.TryWrite(out _));
        Assert.Throws<PageTruncatedException>(() => pin.Write());
        await test.Mapping.ExtendAsync(64 * 4096);
        using (PageReadLease lease = pin.Read())
        {
            Assert.Equal(0, lease.Span[0]);
        }

        test.AssertSound(pins: 1);
        pin.Dispose();
        test.Evict(10);
    }

    [Fact]
    public async Task A_pin_of_a_page_that_is_gone_can_be_returned()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PagePin first = test.Mapping.Pin(10);
        PagePin second = test.Mapping.Pin(10);
        await test.Mapping.TruncateAsync(0).InTime();
        first.Dispose();
        test.AssertSound(pins: 1);
        second.Dispose();
        test.AssertSound();
        Assert.Equal(0, test.Cache.Core.Heads.InUse);
    }

    [Fact]
    public async Task A_load_that_is_under_way_is_waited_for()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Device.Hold = call => call.Operation == StorageCache.IO.BlockOperation.Read;
        Task<PageReadLease> reader = test.Mapping.ReadAsync(10).AsTask();
        Task truncation = test.Mapping.TruncateAsync(4096).AsTask();
        Assert.False(truncation.IsCompleted);
        test.Device.ReleaseAll();
        try
        {
            (await reader.InTime()).Dispose();
        }
        catch (PageTruncatedException)
        {
        }

        await truncation.InTime();
        Assert.Equal(0, test.Mapping.ResidentPages);
    }

    /// <summary>The load that a truncation stands in line for fails: that is no concern of the truncation.</summary>
    [Fact]
    public async Task A_load_that_fails_does_not_fail_the_truncation_behind_it()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Device.Hold = call => call.Operation == StorageCache.IO.BlockOperation.Read;
        test.Device.Fault = call => call.Operation == StorageCache.IO.BlockOperation.Read ? ScriptedDevice.Eio(call) : null;
        Task<PageReadLease> reader = test.Mapping.ReadAsync(10).AsTask();
        Task truncation = test.Mapping.TruncateAsync(4096).AsTask();
        test.WaitForWaiters(10, 2);
        test.Device.ReleaseAll();
        await Assert.ThrowsAnyAsync<PageCacheException>(() => reader.InTime());
        await truncation.InTime();
        Assert.Equal(4096, test.Device.Length);
    }

    [Fact]
    public async Task A_new_page_beyond_the_end_waits_for_the_truncation()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageReadLease held = test.Mapping.Read(10);
        Task truncation = test.Mapping.TruncateAsync(4096).AsTask();
        Task<PageWriteLease> writer = test.Mapping.WriteNewAsync(20).AsTask();
        Assert.False(test.Mapping.TryWriteNew(30, out _));
        Assert.False(writer.IsCompleted);
        held.Dispose();
        await truncation.InTime();
        (await writer.InTime()).Dispose();
        Assert.Equal(21 * 4096, test.Mapping.Length);
    }

    /// <summary>Rounds of readers racing a truncation: each gets the page as it was, or learns that it is gone (M-3).</summary>
    [Fact]
    public async Task Readers_that_race_a_truncation_see_the_page_or_its_end()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 32);
        bool stop = false;
        long wrong = 0;
        Task[] readers = [.. Enumerable.Range(0, 2).Select(number => Task.Factory.StartNew(
            () =>
            {
                Random random = new(number);
                while (!Volatile.Read(ref stop))
                {
                    long page = random.Next(16, 32);
                    try
                    {
                        switch (random.Next(3))
                        {
                            case 0:
                                byte value = test.ByteOf(page);
                                wrong += value is 0 or 0x11 ? 0 : 1;
                                break;
                            case 1:
                                using (PageWriteLease lease = test.Mapping.Write(page))
                                {
                                    lease.Span.Fill(0x11);
                                    lease.MarkDirty();
                                }

                                break;
                            default:
                                test.Mapping.Pin(page).Dispose();
                                break;
                        }
                    }
                    catch (PageTruncatedException)
                    {
                    }
                }
            },
            TaskCreationOptions.LongRunning))];
        for (int i = 0; i < 150; i++)
        {
            await test.Mapping.TruncateAsync(16 * 4096).InTime();
            Assert.Equal(16 * 4096, test.Mapping.Length);
            await test.Mapping.ExtendAsync(32 * 4096);
        }

        Volatile.Write(ref stop, true);
        await Task.WhenAll(readers).InTime();
        Assert.Equal(0, wrong);
        await test.Mapping.FlushAsync().InTime();
        test.AssertSound();
    }

    [Fact]
    public async Task Only_a_shorter_length_is_taken()
    {
        await using TestCache test = await TestCache.OpenAsync();
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => test.Mapping.TruncateAsync(65 * 4096).AsTask());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => test.Mapping.TruncateAsync(-1).AsTask());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => test.Mapping.ExtendAsync(-1).AsTask());
        await test.Mapping.TruncateAsync(64 * 4096);
        await test.Mapping.ExtendAsync(10);
        Assert.Equal(64 * 4096, test.Mapping.Length);
    }

    [Fact]
    public async Task A_device_that_refuses_to_be_cut_leaves_the_file_as_it_was()
    {
        var device = new ScriptedDevice(4);
        for (int page = 0; page < 4; page++)
        {
            device.Fill(page, 7);
        }

        await using var cache = new PageCache(new PageCacheOptions { MemoryLimit = 4 << 20 });
        Mapping mapping = await cache.OpenAsync(device);
        using (PageWriteLease lease = await mapping.WriteAsync(2))
        {
            lease.Span.Fill(8);
            lease.MarkDirty();
        }

        device.LengthFault = new StorageCache.IO.BlockIOException("The length cannot be changed, as scripted.", 1);
        PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => mapping.TruncateAsync(100).AsTask());
        Assert.Contains("keeps its length", error.Message, StringComparison.Ordinal);
        Assert.Equal(4 * 4096, mapping.Length);
        await mapping.FlushAsync();
        Assert.Equal(-1, device.Bytes(0).AsSpan().IndexOfAnyExcept((byte)7));
        Assert.Equal(-1, device.Bytes(2).AsSpan().IndexOfAnyExcept((byte)8));

        device.LengthFault = null;
        await mapping.TruncateAsync(100);
        await mapping.ExtendAsync(4 * 4096);
        using PageReadLease first = await mapping.ReadAsync(0);
        Assert.Equal(-1, first.Span[..100].IndexOfAnyExcept((byte)7));
        Assert.Equal(-1, first.Span[100..].IndexOfAnyExcept((byte)0));
        using PageReadLease third = await mapping.ReadAsync(2);
        Assert.Equal(-1, third.Span.IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public async Task A_load_of_the_last_page_that_fails_behind_a_cut_does_not_fail_the_cut()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Device.Hold = static call => call.Operation == BlockOperation.Read;
        Task<PageReadLease> read = test.Mapping.ReadAsync(1).AsTask();
        test.Device.WaitForHeld(1);
        Task cut = test.Mapping.TruncateAsync(4096 + 100).AsTask();
        test.WaitForWaiters(1, 2);
        test.Device.Fault = static call => call.Operation == BlockOperation.Read ? ScriptedDevice.Eio(call) : null;
        test.Device.ReleaseAll();
        await Assert.ThrowsAsync<PageReadException>(() => read.InTime());
        await cut.InTime();
        Assert.Equal(4096 + 100, test.Mapping.Length);
        Assert.Equal(4096 + 100, test.Device.Length);
    }
}
