using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Errors;

public class WriteErrorTests
{
    /// <remarks>E-1, WB-4.</remarks>
    [Fact]
    public async Task A_page_that_could_not_be_written_stays_dirty_and_readable()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(5, 0x5a);
        test.Device.Fault = call => call.Operation == BlockOperation.Write ? ScriptedDevice.Eio(call) : null;
        PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        Assert.Equal(5, error.Page);
        Assert.Equal(0, test.Device.Flushes);
        Assert.Equal(MappingState.Open, test.Mapping.State);
        Assert.Equal(1, test.Cache.GetStatistics().DirtyPages);
        Assert.Equal(0x5a, test.ByteOf(5));
        test.AssertSound();
        await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.CloseAsync().InTime());
        Assert.Equal(MappingState.Open, test.Mapping.State);
        test.Fill(6, 0x66);

        test.Device.Fault = null;
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(0x5a, test.Device.Bytes(5)[0]);
        Assert.Equal(0x66, test.Device.Bytes(6)[0]);
        Assert.Equal(0, test.Cache.GetStatistics().DirtyPages);
    }

    [Fact]
    public async Task An_error_in_the_middle_of_a_run_fails_its_page_only()
    {
        await using TestCache test = await TestCache.OpenAsync();
        for (int page = 0; page < 10; page++)
        {
            test.Fill(page, (byte)(page + 1));
        }

        test.Device.Fault = call => call.Operation == BlockOperation.Write && call.Covers(4) ? ScriptedDevice.Eio(call) : null;
        PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        Assert.Equal(4, error.Page);
        Assert.Equal(1, test.Cache.GetStatistics().DirtyPages);
        for (int page = 0; page < 10; page++)
        {
            Assert.Equal(page == 4 ? 0 : page + 1, test.Device.Bytes(page)[0]);
        }

        test.Device.Fault = null;
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(5, test.Device.Bytes(4)[0]);
        test.AssertSound();
    }

    /// <summary>
    /// A run fails and is written again page by page; the flush that waits for it must wait for its parts, or it would
    /// sync before they are written (WB-1, WB-3, WB-9).
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_flush_waits_for_the_parts_of_a_failed_run(bool partFails)
    {
        await using TestCache test = await TestCache.OpenAsync();
        for (int page = 0; page < 4; page++)
        {
            test.Fill(page, 0x21);
        }

        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        test.Device.Fault = call => call.Segments > 1 || (partFails && call.Operation == BlockOperation.Write && call.Covers(2)) ? ScriptedDevice.Eio(call) : null;
        Task flush = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        test.Device.ReleaseHeld();
        test.Device.WaitForHeld(4);
        await Task.Delay(30);
        Assert.False(flush.IsCompleted);
        Assert.Equal(0, test.Device.Flushes);
        test.Device.ReleaseAll();
        if (partFails)
        {
            await Assert.ThrowsAsync<PageWriteException>(() => flush.InTime());
        }
        else
        {
            await flush.InTime();
            Assert.Equal(0x21, test.Device.Bytes(3)[0]);
        }
    }

    /// <remarks>E-2, WB-5.</remarks>
    [Fact]
    public async Task A_failed_sync_is_final()
    {
        await using TestCache test = await TestCache.OpenAsync();
        Assert.Null(test.Mapping.Failure);
        test.Fill(1, 1);
        test.Fill(2, 2);
        await test.Mapping.FlushAsync().InTime();
        test.Fill(2, 3);
        test.Fill(3, 4);
        test.Mapping.Read(9).Dispose();
        test.Device.Hold = call => call.Operation == BlockOperation.Flush;
        test.Device.Fault = call => call.Operation == BlockOperation.Flush ? ScriptedDevice.Eio(call) : null;
        Task[] flushes = [.. Enumerable.Range(0, 5).Select(_ => test.Mapping.FlushAsync().AsTask())];
        test.Device.WaitForHeld(1);
        test.Device.ReleaseAll();
        foreach (Task flush in flushes)
        {
            await Assert.ThrowsAsync<FlushFailedException>(() => flush.InTime());
        }

        Assert.Equal(1, test.Device.Flushes - 1);
        Assert.Equal(MappingState.Failed, test.Mapping.State);
        Assert.Equal(5, Assert.IsType<BlockIOException>(test.Mapping.Failure).Errno);

        // What was written since the last good sync is dirty again; what was synced before, or only read, is not.
        Assert.Equal(2, test.Cache.GetStatistics().DirtyPages);
        Assert.True(test.Mapping.IsDirty(2));
        Assert.True(test.Mapping.IsDirty(3));

        test.Device.Fault = null;
        long flushed = test.Device.Flushes;
        await Assert.ThrowsAsync<MappingFailedException>(() => test.Mapping.FlushAsync().InTime());
        Assert.Equal(flushed, test.Device.Flushes);
        Assert.Throws<MappingFailedException>(() => test.Mapping.Write(1));
        Assert.Throws<MappingFailedException>(() => test.Mapping.Write(20));
        Assert.Throws<MappingFailedException>(() => test.Mapping.WriteNew(1));
        Assert.Throws<MappingFailedException>(() => test.Mapping.TryWrite(1, out _));
        Assert.Throws<MappingFailedException>(() => test.Mapping.ReadOptimistic(1).TryUpgrade(out PageWriteLease _));
        await Assert.ThrowsAsync<MappingFailedException>(() => test.Mapping.TruncateAsync(0).AsTask());
        await Assert.ThrowsAsync<MappingFailedException>(() => test.Mapping.ExtendAsync(1 << 20).AsTask());
        Assert.Equal(3, test.ByteOf(2));
        Assert.Equal(0, test.ByteOf(30));
        await test.Mapping.CloseAsync().InTime();
        Assert.Equal(MappingState.Closed, test.Mapping.State);
    }

    [Fact]
    public async Task A_close_whose_sync_fails_says_so_and_the_next_close_closes()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(1, 1);
        test.Device.Fault = call => call.Operation == BlockOperation.Flush ? ScriptedDevice.Eio(call) : null;
        await Assert.ThrowsAsync<FlushFailedException>(() => test.Mapping.CloseAsync().InTime());
        Assert.Equal(MappingState.Failed, test.Mapping.State);
        Assert.Equal(1, test.ByteOf(1));
        await test.Mapping.CloseAsync().InTime();
        Assert.Equal(MappingState.Closed, test.Mapping.State);
        Mapping next = await test.Cache.OpenAsync(test.Device);
        Assert.Equal(MappingState.Open, next.State);
    }

    /// <summary>A write is under way when a sync fails: it will not be synced, so its page must not pass for clean (WB-5).</summary>
    [Fact]
    public async Task A_page_whose_write_ends_after_a_failed_sync_stays_dirty()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(1, 1);
        test.Device.Hold = call => call.Operation == BlockOperation.Flush;
        test.Device.Fault = call => call.Operation == BlockOperation.Flush ? ScriptedDevice.Eio(call) : null;
        Task flush = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        BlockOperation held = BlockOperation.Write;
        test.Device.Hold = call => call.Operation == held;
        test.Fill(7, 7);
        test.Cache.Core.WriteBack.Kick(urgent: true);
        test.Device.WaitForHeld(2);
        test.Device.ReleaseHeld(BlockOperation.Flush);
        await Assert.ThrowsAsync<FlushFailedException>(() => flush.InTime());
        test.Device.ReleaseAll();
        Wait.Until(() => test.Cache.Core.WriteBack.InUse == 0, "the write to end");
        Assert.True(test.Mapping.IsDirty(1));
        Assert.True(test.Mapping.IsDirty(7));
        test.AssertSound();
    }

    [Fact]
    public async Task A_length_that_cannot_be_set_fails_the_flush_and_the_next_one_tries_again()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 2);
        await test.Mapping.ExtendAsync(8 * 4096);
        test.Device.LengthFault = new IOException("no");
        await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        Assert.Equal(MappingState.Open, test.Mapping.State);
        test.Device.LengthFault = null;
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(8 * 4096, test.Device.Length);
    }

    [Fact]
    public async Task The_flusher_backs_off_from_a_page_that_cannot_be_written_and_comes_back()
    {
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(time: time);
        test.Fill(1, 1);
        test.Device.Fault = call => call.Operation == BlockOperation.Write ? ScriptedDevice.Eio(call) : null;
        test.Cache.Core.WriteBack.Kick(urgent: true);
        Wait.Until(() => test.Cache.GetStatistics().WriteErrors == 1, "the first try");
        test.Cache.Core.WriteBack.Kick(urgent: true);
        await Task.Delay(30);
        Assert.Equal(1, test.Cache.GetStatistics().WriteErrors);
        test.Device.Fault = null;
        time.Advance(TimeSpan.FromMilliseconds(150));
        test.Cache.Core.WriteBack.Kick(urgent: true);
        Wait.Until(() => test.Cache.GetStatistics().DirtyPages == 0, "the page to be written");
    }

    /// <summary>Writes of other pages that succeed are no sign that this one will.</summary>
    [Fact]
    public async Task The_flusher_tries_a_bad_page_among_good_ones_more_and_more_rarely()
    {
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(time: time);
        ScriptedDevice second = new(8);
        Mapping other = await test.Cache.OpenAsync(second);
        void Round()
        {
            // The other file is written in each round; in the second of two after this one's turn has begun.
            for (int i = 0; i < 2; i++)
            {
                long writes = second.Writes;
                using (PageWriteLease lease = other.Write(1))
                {
                    lease.MarkDirty();
                }

                test.Cache.Core.WriteBack.Kick(urgent: true);
                Wait.Until(() => second.Writes > writes && other.DirtyPages == 0, "a round of the flusher");
            }
        }

        test.Device.Fault = call => call.Operation == BlockOperation.Write && call.Covers(1) ? ScriptedDevice.Eio(call) : null;
        test.Fill(1, 1);
        for (int errors = 1; errors < 12; errors++)
        {
            test.Fill(20, (byte)errors);
            Round();
            Wait.Until(() => test.Cache.GetStatistics().WriteErrors == errors && !test.Mapping.IsDirty(20), $"try {errors}");
            TimeSpan wait = TimeSpan.FromMilliseconds(Math.Min(30_000, 100 << (errors - 1)));
            time.Advance(wait - TimeSpan.FromMilliseconds(1));
            Round();
            Assert.Equal(errors, test.Cache.GetStatistics().WriteErrors);
            time.Advance(TimeSpan.FromMilliseconds(1));
        }

        // Once it has been cut off, the next trouble begins anew.
        await test.Mapping.TruncateAsync(4096).InTime();
        await test.Mapping.ExtendAsync(64 * 4096).InTime();
        test.Fill(20, 100);
        Round();
        Wait.Until(() => !test.Mapping.IsDirty(20), "the good page to be written");
        test.Fill(1, 1);
        Round();
        Wait.Until(() => test.Cache.GetStatistics().WriteErrors == 12, "the new trouble");
        time.Advance(TimeSpan.FromMilliseconds(100));
        Round();
        Wait.Until(() => test.Cache.GetStatistics().WriteErrors == 13, "the next try");
    }

    [Fact]
    public async Task Dispose_reports_what_could_not_be_flushed_when_everything_is_closed()
    {
        ScriptedDevice broken = new(8) { Fault = call => call.Operation == BlockOperation.Write ? ScriptedDevice.Eio(call) : null };
        ScriptedDevice healthy = new(8);
        PageCache cache = new(new PageCacheOptions { MemoryLimit = TestCache.Smallest, FrameTimeout = TimeSpan.FromSeconds(5) });
        Mapping first = await cache.OpenAsync(broken);
        Mapping second = await cache.OpenAsync(healthy);
        foreach (Mapping mapping in new[] { first, second })
        {
            using PageWriteLease lease = mapping.Write(1);
            lease.Span.Fill(1);
            lease.MarkDirty();
        }

        await Assert.ThrowsAsync<PageWriteException>(() => cache.DisposeAsync().InTime());
        Assert.Equal(MappingState.Closed, first.State);
        Assert.Equal(MappingState.Closed, second.State);
        Assert.Equal(1, healthy.Bytes(1)[0]);
    }
}
