using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Writeback;

/// <remarks>WB-18, WB-19.</remarks>
public class CheckpointTests
{
    [Fact]
    public async Task The_first_change_since_a_page_was_clean_is_where_recovery_begins()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(1, 1);
        LoggedPages.Change(test.Mapping, 3, 10);
        LoggedPages.Change(test.Mapping, 3, 12);
        LoggedPages.Change(test.Mapping, 2, 11);
        DirtyPageTable dirty = test.Mapping.GetDirtyPages();
        Assert.Equal([new DirtyPage(1, 0, 0), new DirtyPage(2, 11, 11), new DirtyPage(3, 12, 10)], dirty.Pages);
        Assert.Equal(10UL, dirty.OldestLsn);

        await test.Mapping.FlushAsync().InTime();
        dirty = test.Mapping.GetDirtyPages();
        Assert.Empty(dirty.Pages);
        Assert.Null(dirty.OldestLsn);

        LoggedPages.Change(test.Mapping, 3, 20);
        Assert.Equal([new DirtyPage(3, 20, 20)], test.Mapping.GetDirtyPages().Pages);

        // A change without a number after one with a number, and the other way round.
        test.Fill(3, 1);
        test.Fill(4, 1);
        LoggedPages.Change(test.Mapping, 4, 30);
        Assert.Equal([new DirtyPage(3, 20, 20), new DirtyPage(4, 30, 30)], test.Mapping.GetDirtyPages().Pages);
    }

    [Fact]
    public async Task A_change_counts_while_it_is_written_and_until_it_is_synced()
    {
        await using TestCache test = await TestCache.OpenAsync();
        LoggedPages.Change(test.Mapping, 3, 10);
        test.Device.Hold = _ => true;
        Task flush = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        DirtyPageTable dirty = test.Mapping.GetDirtyPages();
        Assert.Empty(dirty.Pages);
        Assert.Equal(10UL, dirty.OldestLsn);

        LoggedPages.Change(test.Mapping, 3, 15);
        dirty = test.Mapping.GetDirtyPages();
        Assert.Equal([new DirtyPage(3, 15, 15)], dirty.Pages);
        Assert.Equal(10UL, dirty.OldestLsn);

        test.Device.ReleaseHeld(BlockOperation.Write);
        test.Device.WaitForHeld(1);
        Assert.Equal(10UL, test.Mapping.GetDirtyPages().OldestLsn);

        test.Device.ReleaseAll();
        await flush.InTime();
        Assert.Equal(15UL, test.Mapping.GetDirtyPages().OldestLsn);
    }

    /// <summary>A write that ended while a sync ran may not be covered by it.</summary>
    [Fact]
    public async Task A_sync_that_began_earlier_does_not_make_a_change_durable()
    {
        await using TestCache test = await TestCache.OpenAsync();
        LoggedPages.Change(test.Mapping, 3, 10);
        test.Device.Hold = call => call.Operation == BlockOperation.Flush;
        Task first = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        LoggedPages.Change(test.Mapping, 4, 20);
        test.Cache.Core.WriteBack.Kick(urgent: true);
        Wait.Until(() => test.Device.Writes == 2 && test.Cache.GetStatistics().DirtyPages == 0, "the second page to be written");
        test.Device.ReleaseHeld();
        await first.InTime();
        Assert.Equal(20UL, test.Mapping.GetDirtyPages().OldestLsn);
        test.Device.ReleaseAll();
        await test.Mapping.FlushAsync().InTime();
        Assert.Null(test.Mapping.GetDirtyPages().OldestLsn);
    }

    [Fact]
    public async Task A_write_that_fails_gives_the_page_its_first_change_back()
    {
        await using TestCache test = await TestCache.OpenAsync();
        LoggedPages.Change(test.Mapping, 3, 10);
        LoggedPages.Change(test.Mapping, 4, 11);
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        test.Device.Fault = call => call.Operation == BlockOperation.Write && call.Covers(3) ? ScriptedDevice.Eio(call) : null;
        Task flush = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        LoggedPages.Change(test.Mapping, 3, 20);
        test.Device.ReleaseAll();
        await Assert.ThrowsAsync<PageWriteException>(() => flush.InTime());
        Assert.Equal([new DirtyPage(3, 20, 10)], test.Mapping.GetDirtyPages().Pages);
        Assert.Equal(10UL, test.Mapping.GetDirtyPages().OldestLsn);
    }

    [Fact]
    public async Task A_sync_that_fails_makes_nothing_durable()
    {
        ScriptedDevice device = new(64);
        TestCache test = await TestCache.OpenAsync(device: device);
        LoggedPages.Change(test.Mapping, 6, 8);
        await test.Mapping.FlushAsync().InTime();
        LoggedPages.Change(test.Mapping, 3, 10);
        LoggedPages.Change(test.Mapping, 4, 12);
        test.Fill(5, 1);
        test.Fill(6, 1);
        device.Fault = call => call.Operation == BlockOperation.Flush ? ScriptedDevice.Eio(call) : null;
        await Assert.ThrowsAsync<FlushFailedException>(() => test.Mapping.CheckpointAsync().InTime());
        DirtyPageTable dirty = test.Mapping.GetDirtyPages();
        Assert.Equal(10UL, dirty.OldestLsn);
        Assert.Equal([3L, 4L, 5L, 6L], dirty.Pages.Select(page => page.Page));
        Assert.All(dirty.Pages.Take(2), page => Assert.InRange(page.RecoveryLsn, 1UL, page.Lsn));
        Assert.Equal(new DirtyPage(5, Lsn: 0, RecoveryLsn: 0), dirty.Pages[2]);
        Assert.Equal(new DirtyPage(6, Lsn: 8, RecoveryLsn: 0), dirty.Pages[3]);
        await Assert.ThrowsAsync<MappingFailedException>(() => test.Mapping.CheckpointAsync().InTime());
        await test.Mapping.CloseAsync().InTime();
        await Assert.ThrowsAsync<MappingClosedException>(() => test.Mapping.CheckpointAsync().InTime());
        await test.DisposeAsync();
    }

    /// <summary>A loss of power may undo what has taken them away, and leave what was there before them.</summary>
    [Fact]
    public async Task Changes_that_are_cut_or_punched_away_need_recovery_until_that_is_synced()
    {
        await using TestCache test = await TestCache.OpenAsync();
        using (PagePin pin = test.Mapping.Pin(3))
        {
            LoggedPages.Change(test.Mapping, 3, 10);
            LoggedPages.Change(test.Mapping, 4, 11);
            LoggedPages.Change(test.Mapping, 20, 12);
            await test.Mapping.PunchAsync(3, 2).InTime();
            DirtyPageTable dirty = test.Mapping.GetDirtyPages();
            Assert.Equal([20L], dirty.Pages.Select(static page => page.Page));
            Assert.Equal(10UL, dirty.OldestLsn);
            await test.Mapping.FlushAsync().InTime();
            Assert.Null(test.Mapping.GetDirtyPages().OldestLsn);

            LoggedPages.Change(test.Mapping, 20, 13);
            await test.Mapping.TruncateAsync(10 * 4096).InTime();
            dirty = test.Mapping.GetDirtyPages();
            Assert.Empty(dirty.Pages);
            Assert.Equal(13UL, dirty.OldestLsn);
            Assert.Null((await test.Mapping.CheckpointAsync().InTime()).OldestLsn);
            Assert.Null(test.Mapping.GetDirtyPages().OldestLsn);
        }

        LoggedPages.Change(test.Mapping, 3, 30);
        Assert.Equal(30UL, test.Mapping.GetDirtyPages().OldestLsn);
    }

    [Fact]
    public async Task A_checkpoint_writes_what_is_dirty_and_says_that_nothing_is_left()
    {
        ScriptedLog log = new();
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: 8 << 20, log: log);
        for (int page = 0; page < 600; page++)
        {
            LoggedPages.Change(test.Mapping, page, (ulong)page + 1);
        }

        LoggedPages.Change(test.Mapping, 700, 601);
        test.Fill(702, 1);
        CheckpointResult result = await test.Mapping.CheckpointAsync().InTime();
        Assert.Equal(602, result.PagesWritten);
        Assert.Null(result.OldestLsn);
        Assert.Equal(0, test.Cache.GetStatistics().DirtyPages);
        Assert.Equal([(0L, 256), (256L, 256), (512L, 88), (700L, 1), (702L, 1)], test.Device.WriteCalls.Select(call => (call.Page, call.Segments)));
        Assert.Equal(1, test.Device.Flushes);
        Assert.Equal([601UL], log.Requests);
    }

    /// <summary>Only what was dirty at the start is written; what came meanwhile bounds the log.</summary>
    [Fact]
    public async Task What_is_changed_during_a_checkpoint_is_left_and_counts()
    {
        await using TestCache test = await TestCache.OpenAsync();
        LoggedPages.Change(test.Mapping, 3, 10);
        LoggedPages.Change(test.Mapping, 5, 11);
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        Task<CheckpointResult> checkpoint = test.Mapping.CheckpointAsync().AsTask();
        test.Device.WaitForHeld(2);
        LoggedPages.Change(test.Mapping, 4, 20);
        LoggedPages.Change(test.Mapping, 3, 21);
        LoggedPages.Change(test.Mapping, 3, 22);
        test.Mapping.Read(3).Dispose();
        test.Device.ReleaseAll();
        CheckpointResult result = await checkpoint.InTime();
        Assert.Equal(2, result.PagesWritten);
        Assert.Equal(20UL, result.OldestLsn);
        Assert.Equal([new DirtyPage(3, 22, 21), new DirtyPage(4, 20, 20)], test.Mapping.GetDirtyPages().Pages);
        Assert.Equal(2, test.Device.Writes);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_checkpoint_keeps_its_pace(bool byDuration)
    {
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: 8 << 20, time: time);
        for (int page = 0; page < 400; page++)
        {
            LoggedPages.Change(test.Mapping, page, 1);
        }

        // 100 pages a second, in either way.
        CheckpointOptions options = byDuration ? new() { Duration = TimeSpan.FromSeconds(4) } : new() { BytesPerSecond = 100 * 4096 };
        Task<CheckpointResult> checkpoint = test.Mapping.CheckpointAsync(options).AsTask();
        int steps = 0;
        while (!checkpoint.IsCompleted)
        {
            long written = test.Device.Writes == 0 ? 0 : test.Cache.GetStatistics().BytesWritten / 4096;
            Assert.InRange(written, 0, 10 + (steps * 10));
            time.Advance(TimeSpan.FromMilliseconds(100));
            steps++;
            await Task.WhenAny(checkpoint, Task.Delay(1));
            Assert.True(steps < 100_000, "the checkpoint does not end");
        }

        Assert.Equal(400, (await checkpoint).PagesWritten);
        Assert.True(steps >= 39, $"{steps} steps");
        Assert.Equal(0, test.Cache.GetStatistics().DirtyPages);
    }

    /// <summary>A timer takes a part of a millisecond for no time at all: the thread that flushes and closes would spin.</summary>
    [Fact]
    public async Task A_checkpoint_that_is_a_moment_early_keeps_nobody_waiting()
    {
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: 8 << 20, time: time);
        for (int page = 0; page < 100; page++)
        {
            LoggedPages.Change(test.Mapping, page, 1);
        }

        Task<CheckpointResult> checkpoint = test.Mapping.CheckpointAsync(new CheckpointOptions { BytesPerSecond = 1 << 30 }).AsTask();
        Wait.Until(() => test.Cache.GetStatistics().BytesWritten == 100 * 4096, "the checkpoint's writes");
        await test.Mapping.FlushAsync().InTime();
        Assert.False(checkpoint.IsCompleted);
        Wait.Until(
            () =>
            {
                time.Advance(TimeSpan.FromMilliseconds(1));
                return checkpoint.IsCompleted;
            },
            "the checkpoint");
        Assert.Equal(100, (await checkpoint).PagesWritten);
    }

    /// <summary>While writers are paused for dirt, a checkpoint that would take it away does not wait for its pace.</summary>
    [Fact]
    public async Task A_checkpoint_hurries_while_writers_are_paused()
    {
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(pages: 400, memory: TestCache.Smallest, dirtyBackground: 0.5, dirtyLimit: 0.6, time: time);
        bool mayWrite = false;
        test.Device.Hold = call => call.Operation == BlockOperation.Write && !Volatile.Read(ref mayWrite);
        for (int page = 0; !test.Cache.Core.WriteBack.Throttle.IsActive; page++)
        {
            LoggedPages.Change(test.Mapping, 2 * page, 1);
        }

        Task<CheckpointResult> checkpoint = test.Mapping.CheckpointAsync(new CheckpointOptions { Duration = TimeSpan.FromDays(1) }).AsTask();
        Volatile.Write(ref mayWrite, true);
        test.Device.ReleaseHeld();
        Wait.Until(() => !test.Cache.Core.WriteBack.Throttle.IsActive, "the pauses to end");
        Wait.Until(
            () =>
            {
                time.Advance(TimeSpan.FromHours(1));
                test.Device.ReleaseHeld();
                return checkpoint.IsCompleted;
            },
            "the checkpoint");
        await checkpoint;
    }

    /// <summary>Nobody waits for the pauses of a checkpoint: they are not for flushes, cuts and closes to sit out.</summary>
    [Fact]
    public async Task Flushes_cuts_and_closes_do_not_wait_for_a_paced_checkpoint()
    {
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: 8 << 20, time: time);
        for (int page = 0; page < 400; page++)
        {
            LoggedPages.Change(test.Mapping, page, 1);
        }

        Task<CheckpointResult> checkpoint = test.Mapping.CheckpointAsync(new CheckpointOptions { Duration = TimeSpan.FromHours(1) }).AsTask();
        Wait.Until(() => test.Device.Writes > 0, "the first pages to be written");
        await test.Mapping.TruncateAsync(300 * 4096).InTime();
        await test.Mapping.PunchAsync(10, 5).InTime();
        await test.Mapping.FlushAsync().InTime();
        Assert.False(checkpoint.IsCompleted);
        await test.Mapping.CloseAsync().InTime();
        time.Advance(TimeSpan.FromSeconds(60));
        Wait.Until(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(60));
                return checkpoint.IsCompleted;
            },
            "the checkpoint to find out");
        await Assert.ThrowsAsync<MappingClosedException>(() => checkpoint.InTime());
    }

    [Fact]
    public async Task A_checkpoint_can_be_cancelled_in_a_pause()
    {
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(time: time);
        LoggedPages.Change(test.Mapping, 1, 1);
        LoggedPages.Change(test.Mapping, 5, 2);
        using CancellationTokenSource source = new();
        Task<CheckpointResult> checkpoint = test.Mapping.CheckpointAsync(new CheckpointOptions { Duration = TimeSpan.FromHours(1) }, source.Token).AsTask();
        Wait.Until(() => test.Device.Writes > 0, "the first page to be written");
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => checkpoint.InTime());
        Assert.Equal(1UL, test.Mapping.GetDirtyPages().OldestLsn);
    }

    [Fact]
    public async Task A_checkpoint_fails_with_a_page_that_cannot_be_written_or_a_log_that_fails()
    {
        ScriptedLog log = new();
        await using TestCache test = await TestCache.OpenAsync(log: log);
        LoggedPages.Change(test.Mapping, 1, 10);
        test.Device.Fault = call => call.Operation == BlockOperation.Write ? ScriptedDevice.Eio(call) : null;
        await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.CheckpointAsync().InTime());
        Assert.Equal(0, test.Device.Flushes);
        Assert.Equal(10UL, test.Mapping.GetDirtyPages().OldestLsn);
        test.Device.Fault = null;
        log.Fault = _ => new IOException("no");
        LoggedPages.Change(test.Mapping, 2, 11);
        PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => test.Cache.CheckpointAsync().InTime());
        Assert.Equal("no", error.InnerException!.Message);
        log.Fault = null;
        Assert.Null((await test.Mapping.CheckpointAsync().InTime()).OldestLsn);
    }

    /// <summary>A write of somebody else's that failed early on, and succeeded later, is no failure of the checkpoint.</summary>
    [Fact]
    public async Task A_failure_that_is_over_does_not_fail_a_checkpoint()
    {
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(time: time);
        LoggedPages.Change(test.Mapping, 1, 1);
        LoggedPages.Change(test.Mapping, 5, 2);
        Task<CheckpointResult> checkpoint = test.Mapping.CheckpointAsync(new CheckpointOptions { Duration = TimeSpan.FromSeconds(10) }).AsTask();
        Wait.Until(() => test.Device.Writes > 0, "the first page to be written");
        bool hasFailed = false;
        test.Device.Fault = call =>
        {
            bool fails = call.Operation == BlockOperation.Write && !hasFailed;
            hasFailed |= fails;
            return fails ? ScriptedDevice.Eio(call) : null;
        };
        test.Cache.Core.WriteBack.Kick(urgent: true);
        Wait.Until(() => test.Cache.GetStatistics().WriteErrors == 1, "the failure");
        Wait.Until(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(1));
                return checkpoint.IsCompleted;
            },
            "the checkpoint");
        Assert.Null((await checkpoint).OldestLsn);
    }

    [Fact]
    public async Task A_checkpoint_of_the_cache_covers_all_its_mappings()
    {
        await using TestCache test = await TestCache.OpenAsync();
        ScriptedDevice second = new(64);
        Mapping other = await test.Cache.OpenAsync(second);
        Mapping reader = await test.Cache.OpenAsync(new ScriptedDevice(8), new MappingOptions { ReadOnly = true });
        LoggedPages.Change(test.Mapping, 1, 10);
        LoggedPages.Change(other, 1, 11);
        second.Hold = call => call.Operation == BlockOperation.Write;
        Task<CheckpointResult> checkpoint = test.Cache.CheckpointAsync(new CheckpointOptions { BytesPerSecond = 1 << 30 }).AsTask();
        second.WaitForHeld(1);

        // The first one is done; what is changed there still counts.
        LoggedPages.Change(test.Mapping, 2, 12);
        LoggedPages.Change(other, 2, 13);
        second.ReleaseAll();
        CheckpointResult result = await checkpoint.InTime();
        Assert.Equal(2, result.PagesWritten);
        Assert.Equal(12UL, result.OldestLsn);
        Assert.Equal(default, await reader.CheckpointAsync().InTime());
    }

    [Fact]
    public async Task Options_out_of_range_are_refused()
    {
        await using TestCache test = await TestCache.OpenAsync();
        Assert.Throws<ArgumentOutOfRangeException>(() => { test.Mapping.CheckpointAsync(new CheckpointOptions { Duration = TimeSpan.FromSeconds(-1) }); });
        Assert.Throws<ArgumentOutOfRangeException>(() => { test.Cache.CheckpointAsync(new CheckpointOptions { BytesPerSecond = -1 }); });
    }

    /// <summary>Its log would be cut off otherwise, and with it what nobody has written.</summary>
    /// <remarks>WB-19.</remarks>
    [Fact]
    public async Task A_checkpoint_waits_for_a_dirty_page_that_is_latched()
    {
        ScriptedLog log = new();
        await using TestCache test = await TestCache.OpenAsync(log: log);
        LoggedPages.Change(test.Mapping, 1, 10);
        LoggedPages.Change(test.Mapping, 2, 11);
        PageWriteLease lease = test.Mapping.Write(1);
        Task<CheckpointResult> checkpoint = test.Mapping.CheckpointAsync().AsTask();
        Wait.Until(() => LoggedPages.Read(test.Device.Bytes(2)) == 11, "the page that nobody has to be written");
        test.WaitForWaiters(1, 1);
        Assert.Equal(0, test.Device.Flushes);
        lease.Dispose();
        Assert.Null((await checkpoint.InTime()).OldestLsn);
        Assert.Equal(10UL, LoggedPages.Read(test.Device.Bytes(1)));
    }
}
