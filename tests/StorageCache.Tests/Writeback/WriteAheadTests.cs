using System.Collections.Concurrent;
using StorageCache.IO;
using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Writeback;

/// <remarks>WB-16: no page is written before the log is durable up to its last change.</remarks>
public class WriteAheadTests
{
    [Fact]
    public async Task A_flush_makes_the_log_durable_up_to_the_last_change_before_it_writes()
    {
        ScriptedLog log = new() { Holds = true };
        await using TestCache test = await TestCache.OpenAsync(log: log);
        ConcurrentQueue<string> early = LoggedPages.Watch(test.Device, log);
        LoggedPages.Change(test.Mapping, 3, 10);
        LoggedPages.Change(test.Mapping, 5, 12);
        LoggedPages.Change(test.Mapping, 9, 11);
        Task flush = test.Mapping.FlushAsync().AsTask();
        log.WaitForPending(1);
        Assert.Equal([12UL], log.Requests);
        Assert.False(flush.IsCompleted);
        Assert.Equal(0, test.Device.Writes);
        log.MakeDurable(12);
        await flush.InTime();
        Assert.Equal(3, test.Device.Writes);
        Assert.Empty(early);
        Assert.Equal(1, test.Cache.GetStatistics().LogWaits);
    }

    [Fact]
    public async Task A_log_that_is_durable_is_not_asked()
    {
        ScriptedLog log = new();
        log.MakeDurable(10);
        await using TestCache test = await TestCache.OpenAsync(log: log);
        LoggedPages.Change(test.Mapping, 3, 10);
        test.Fill(4, 1);
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(2, test.Device.WriteCalls.Sum(call => call.Segments));
        Assert.Empty(log.Requests);
        Assert.Equal(0, test.Cache.GetStatistics().LogWaits);
        Assert.Same(log, test.Mapping.Log);
    }

    /// <summary>The write of a page that does not need the log is not held up by one that does.</summary>
    [Fact]
    public async Task The_flusher_goes_on_with_other_pages_and_mappings_while_the_log_is_stuck()
    {
        ScriptedLog log = new() { Holds = true };
        await using TestCache test = await TestCache.OpenAsync(log: log);
        ConcurrentQueue<string> early = LoggedPages.Watch(test.Device, log);
        ScriptedDevice second = new(64);
        Mapping other = await test.Cache.OpenAsync(second, new MappingOptions { Log = new ScriptedLog() });
        log.MakeDurable(5);
        LoggedPages.Change(test.Mapping, 1, 5);
        LoggedPages.Change(test.Mapping, 2, 6);
        LoggedPages.Change(test.Mapping, 3, 8);
        test.Fill(4, 0);
        LoggedPages.Change(other, 1, 100);
        test.Cache.Core.WriteBack.Kick(urgent: true);
        Wait.Until(() => test.Cache.GetStatistics().DirtyPages == 2, "all to be written that can be");
        log.WaitForPending(1);
        Assert.Equal([(1L, 1), (4L, 1)], test.Device.WriteCalls.Select(call => (call.Page, call.Segments)));
        Assert.Equal(1, second.Writes);

        // What becomes dirty meanwhile is asked for when the answer has come, and not before.
        LoggedPages.Change(test.Mapping, 5, 20);
        test.Cache.Core.WriteBack.Kick(urgent: true);
        test.Fill(6, 0);
        test.Cache.Core.WriteBack.Kick(urgent: true);
        Wait.Until(() => test.Device.WriteCalls.Any(call => call.Page == 6), "another page to be written");
        Assert.Equal([8UL], log.Requests);
        log.MakeDurable(8);
        Wait.Until(() => test.Cache.GetStatistics().DirtyPages == 1, "the pages whose changes are durable to be written");
        Wait.Until(() => log.Requests.Count == 2, "the next request");
        Assert.Equal([8UL, 20UL], log.Requests);
        Assert.Equal(1, log.MostPending);
        log.MakeDurable(20);
        test.Cache.Core.WriteBack.Kick(urgent: true);
        Wait.Until(() => test.Cache.GetStatistics().DirtyPages == 0, "the last page to be written");
        Assert.Empty(early);
    }

    /// <summary>Those who wait for a frame get one when the log has become durable, and nobody else has done anything.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_cache_full_of_pages_that_wait_for_the_log_comes_free_with_it(bool inline)
    {
        ScriptedLog log = new() { Holds = true, CompletesInline = inline };
        await using TestCache test = await TestCache.OpenAsync(pages: 400, memory: TestCache.Smallest, log: log);
        ConcurrentQueue<string> early = LoggedPages.Watch(test.Device, log);
        ulong lsn = 0;
        for (int page = 0; test.Cache.GetStatistics().DirtyPages < test.Frames - 8; page++)
        {
            LoggedPages.Change(test.Mapping, page, ++lsn);
        }

        Task<PageReadLease>[] readers = [.. Enumerable.Range(200, 2 * test.Frames).Select(page => test.Mapping.ReadAsync(page).AsTask())];
        log.WaitForPending(1);
        int served = 0;
        Task all = Task.WhenAll(readers.Select(async reader =>
        {
            (await reader).Dispose();
            Interlocked.Increment(ref served);
        }));
        Assert.False(all.IsCompleted);
        Assert.Equal(0, test.Device.Writes);

        // A little at a time: all of it is asked for sooner or later.
        for (ulong durable = 1; !all.IsCompleted; durable += 3)
        {
            log.MakeDurable(durable);
            await Task.WhenAny(all, Task.Delay(1));
            Assert.True(durable < 1_000_000, "nobody is served");
        }

        await all.InTime();
        Assert.Empty(early);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_log_that_fails_fails_the_flush_and_leaves_the_pages_dirty_and_readable(bool throwsAtOnce)
    {
        InvalidOperationException cause = new("the log is full");
        ScriptedLog log = new() { Fault = _ => cause, ThrowsAtOnce = throwsAtOnce };
        await using TestCache test = await TestCache.OpenAsync(log: log);
        ConcurrentQueue<string> early = LoggedPages.Watch(test.Device, log);
        LoggedPages.Change(test.Mapping, 5, 10);
        test.Fill(6, 0);
        PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        Assert.Same(cause, error.InnerException);
        Assert.Equal(5, error.Page);
        Assert.Contains("the log is full", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, test.Device.Flushes);

        // What does not need the log has been written all the same.
        Assert.Equal([6L], test.Device.WriteCalls.Select(call => call.Page));
        Assert.Equal(1, test.Cache.GetStatistics().DirtyPages);
        Assert.Equal(1, test.Cache.GetStatistics().LogErrors);
        Assert.Equal(MappingState.Open, test.Mapping.State);
        using (PageReadLease lease = test.Mapping.Read(5))
        {
            Assert.Equal(10UL, LoggedPages.Read(lease.Span));
        }

        await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.CloseAsync().InTime());
        Assert.Equal(MappingState.Open, test.Mapping.State);
        log.Fault = null;
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(10UL, LoggedPages.Read(test.Device.Bytes(5)));
        Assert.Empty(early);
    }

    [Fact]
    public async Task A_log_that_says_it_is_durable_and_is_not_has_failed()
    {
        ScriptedLog log = new() { Lies = true };
        await using TestCache test = await TestCache.OpenAsync(log: log);
        log.MakeDurable(4);
        LoggedPages.Change(test.Mapping, 5, 10);
        PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        Assert.IsType<InvalidOperationException>(error.InnerException);
        Assert.Contains("asked to be durable up to 10", error.Message, StringComparison.Ordinal);
        Assert.Contains("up to 4", error.Message, StringComparison.Ordinal);
        Assert.Single(log.Requests);

        // Nor does the flusher ask without end.
        test.Cache.Core.WriteBack.Kick(urgent: true);
        Wait.Until(() => test.Cache.GetStatistics().LogErrors >= 1, "the flusher to be told");
        Assert.Equal(0, test.Device.Writes);
        log.Lies = false;
        await test.Mapping.FlushAsync().InTime();
    }

    [Fact]
    public async Task A_log_that_does_not_even_say_how_far_it_is_has_failed()
    {
        ScriptedLog log = new() { DurableFault = new TimeoutException("no answer") };
        await using TestCache test = await TestCache.OpenAsync(log: log);
        LoggedPages.Change(test.Mapping, 5, 10);
        PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        Assert.IsType<TimeoutException>(error.InnerException);
        Assert.Equal(0, test.Device.Writes);
        log.DurableFault = null;
        await test.Mapping.FlushAsync().InTime();
    }

    /// <summary>A cancellation that nobody has asked for is a failure as any.</summary>
    [Fact]
    public async Task A_log_that_cancels_by_itself_has_failed()
    {
        ScriptedLog log = new() { Fault = _ => new OperationCanceledException("by itself") };
        await using TestCache test = await TestCache.OpenAsync(log: log);
        LoggedPages.Change(test.Mapping, 5, 10);
        PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        Assert.IsType<OperationCanceledException>(error.InnerException);
    }

    [Fact]
    public async Task A_flush_that_waits_for_the_log_can_be_cancelled()
    {
        ScriptedLog log = new() { Holds = true };
        await using TestCache test = await TestCache.OpenAsync(log: log);
        LoggedPages.Change(test.Mapping, 5, 10);
        using CancellationTokenSource source = new();
        Task flush = test.Mapping.FlushAsync(source.Token).AsTask();
        log.WaitForPending(1);
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => flush.InTime());
        Assert.Equal(0, test.Cache.GetStatistics().LogErrors);
        log.MakeDurable(10);
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(10UL, LoggedPages.Read(test.Device.Bytes(5)));
    }

    /// <summary>A log that failed is left alone for a while, and nobody is paused for pages that cannot become clean.</summary>
    [Fact]
    public async Task The_flusher_asks_a_log_that_failed_again_after_a_while()
    {
        ManualTime time = new();
        bool isBroken = true;
        ScriptedLog log = new();
        log.Fault = _ => Volatile.Read(ref isBroken) ? new IOException("broken") : null;
        await using TestCache test = await TestCache.OpenAsync(time: time, log: log);
        void Round(int writes)
        {
            // A page that needs no log is written in each round, and shows that it is over.
            long before = test.Device.Writes;
            test.Fill(20 + writes, 1);
            test.Cache.Core.WriteBack.Kick(urgent: true);
            Wait.Until(() => test.Device.Writes > before, "a round of the flusher");
        }

        LoggedPages.Change(test.Mapping, 5, 10);
        Round(0);
        Wait.Until(() => test.Cache.GetStatistics().LogErrors == 1, "the first failure");
        Assert.True(test.Mapping.IsHeldDirty);
        Assert.False(test.Mapping.IsBackingOff);
        Round(1);
        Round(2);
        Assert.Single(log.Requests);
        time.Advance(TimeSpan.FromMilliseconds(100));
        Round(3);
        Wait.Until(() => test.Cache.GetStatistics().LogErrors == 2, "the second failure");
        time.Advance(TimeSpan.FromMilliseconds(199));
        Round(4);
        Round(5);
        Assert.Equal(2, log.Requests.Count);
        Volatile.Write(ref isBroken, false);
        time.Advance(TimeSpan.FromMilliseconds(1));
        Round(6);
        Wait.Until(() => LoggedPages.Read(test.Device.Bytes(5)) == 10, "the page to be written");
        Assert.False(test.Mapping.IsHeldDirty);
    }

    /// <summary>A flush ends although the page is given another number each time that the log has its last one.</summary>
    [Fact]
    public async Task A_page_that_changes_all_the_time_cannot_keep_a_flush_from_ending()
    {
        ScriptedLog log = new() { Holds = true };
        await using TestCache test = await TestCache.OpenAsync(log: log);
        ConcurrentQueue<string> early = LoggedPages.Watch(test.Device, log);
        ulong lsn = 1;
        LoggedPages.Change(test.Mapping, 5, lsn);
        Task flush = test.Mapping.FlushAsync().AsTask();
        int rounds = 0;
        while (!flush.IsCompleted)
        {
            Wait.Until(() => log.Pending > 0 || flush.IsCompleted, "the flush to ask for the log");
            if (test.Mapping.TryWrite(5, out PageWriteLease lease))
            {
                LoggedPages.Change(lease, lsn + 1);
                lease.Dispose();
                log.MakeDurable(lsn);
                lsn++;
            }
            else
            {
                log.MakeDurable(lsn);
            }

            Assert.True(++rounds < 1000, "the flush does not end");
        }

        await flush.InTime();
        Assert.Empty(early);
    }

    /// <summary>Only the bytes that the log has are written, and the page is dirty with the others.</summary>
    [Fact]
    public async Task A_page_that_is_changed_while_it_is_written_waits_for_the_log_again()
    {
        ScriptedLog log = new() { Holds = true };
        await using TestCache test = await TestCache.OpenAsync(log: log);
        ConcurrentQueue<string> early = LoggedPages.Watch(test.Device, log);
        log.MakeDurable(10);
        LoggedPages.Change(test.Mapping, 5, 10);
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        Task first = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        LoggedPages.Change(test.Mapping, 5, 11);
        Task second = test.Mapping.FlushAsync().AsTask();
        log.WaitForPending(1);
        test.Device.ReleaseAll();
        await first.InTime();
        Assert.Equal(10UL, LoggedPages.Read(test.Device.Bytes(5)));
        Assert.False(second.IsCompleted);
        log.MakeDurable(11);
        await second.InTime();
        Assert.Equal(11UL, LoggedPages.Read(test.Device.Bytes(5)));
        Assert.Empty(early);
    }

    /// <summary>The parts of a write that failed carry what the whole one did, whatever the log has got meanwhile.</summary>
    [Fact]
    public async Task Pages_of_a_failed_run_are_written_one_by_one_and_none_too_early()
    {
        ScriptedLog log = new() { Holds = true };
        await using TestCache test = await TestCache.OpenAsync(log: log);
        ConcurrentQueue<string> early = LoggedPages.Watch(test.Device, log);
        log.MakeDurable(10);
        for (int page = 0; page < 8; page++)
        {
            LoggedPages.Change(test.Mapping, page, 10);
        }

        test.Device.Fault = call => call.Operation == BlockOperation.Write && call.Covers(3) ? ScriptedDevice.Eio(call) : null;
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        Task flush = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        for (int page = 0; page < 8; page++)
        {
            LoggedPages.Change(test.Mapping, page, 20);
        }

        test.Device.ReleaseAll();
        PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => flush.InTime());
        Assert.Equal(3, error.Page);
        Assert.Empty(early);
        test.Device.Fault = null;
        log.MakeDurable(20);
        await test.Mapping.FlushAsync().InTime();
        Assert.Empty(early);
        Assert.Equal(20UL, LoggedPages.Read(test.Device.Bytes(3)));
    }

    /// <summary>A hole that has to be written as zeros replaces a change that the log does not have yet, and waits for it.</summary>
    [Fact]
    public async Task Zeros_that_are_written_for_a_hole_wait_for_what_they_replace()
    {
        ScriptedLog log = new() { Holds = true };
        ScriptedDevice device = new(64) { CanPunch = false };
        await using TestCache test = await TestCache.OpenAsync(device: device, log: log);
        device.Fill(5, 7);
        LoggedPages.Change(test.Mapping, 5, 10);
        await test.Mapping.PunchAsync(4, 4).InTime();
        Task flush = test.Mapping.FlushAsync().AsTask();
        log.WaitForPending(1);
        test.Cache.Core.WriteBack.Kick(urgent: true);
        Wait.Until(() => test.Cache.GetStatistics().DirtyPages == 1, "the other zeros to be written");
        Assert.Equal(7, device.Bytes(5)[100]);
        log.MakeDurable(10);
        await flush.InTime();
        Assert.Equal(0, device.Bytes(5)[100]);
    }

    /// <summary>A cut takes changes away that the log does not have, and nobody asks for them any more.</summary>
    [Fact]
    public async Task What_is_truncated_away_needs_no_log()
    {
        ScriptedLog log = new() { Holds = true };
        await using TestCache test = await TestCache.OpenAsync(log: log);
        LoggedPages.Change(test.Mapping, 5, 10);
        await test.Mapping.TruncateAsync(4 * 4096).InTime();
        await test.Mapping.FlushAsync().InTime();
        Assert.Empty(log.Requests);
    }

    [Fact]
    public async Task Closing_waits_for_the_log_and_keeps_the_mapping_if_it_fails()
    {
        ScriptedLog log = new() { Holds = true };
        await using TestCache test = await TestCache.OpenAsync(log: log);
        ConcurrentQueue<string> early = LoggedPages.Watch(test.Device, log);
        LoggedPages.Change(test.Mapping, 5, 10);
        Task close = test.Mapping.CloseAsync().AsTask();
        log.WaitForPending(1);
        log.Answer(10, new IOException("no"));
        await Assert.ThrowsAsync<PageWriteException>(() => close.InTime());
        Assert.Equal(MappingState.Open, test.Mapping.State);
        close = test.Mapping.CloseAsync().AsTask();
        log.WaitForPending(1);
        Assert.False(close.IsCompleted);
        log.MakeDurable(10);
        await close.InTime();
        Assert.Equal(10UL, LoggedPages.Read(test.Device.Bytes(5)));
        Assert.Empty(early);
    }

    /// <summary>What is changed in the source after it was flushed is copied, and waits for the log in the copy.</summary>
    [Fact]
    public async Task A_copy_holds_nothing_that_the_log_does_not_have()
    {
        using ScratchDirectory directory = new();
        ScriptedLog log = new() { Holds = true };
        await using TestCache test = await TestCache.OpenAsync(pages: 8, log: log);
        LoggedPages.Change(test.Mapping, 5, 1);
        log.MakeDurable(1);
        test.Device.Hold = call => call.Operation == BlockOperation.Read;
        string path = directory.File("copy");
        Task<MappingClone> cloning = test.Mapping.CloneAsync(path).AsTask();
        test.Device.WaitForHeld(1);
        LoggedPages.Change(test.Mapping, 5, 10);
        test.Device.ReleaseAll();
        log.WaitForPending(1);
        Assert.Equal([10UL], log.Requests);
        Assert.False(cloning.IsCompleted);

        // The source's own flush wrote one page, and the log was asked before the copy's wrote any.
        Assert.Equal(1, test.Cache.GetStatistics().Writes);
        log.MakeDurable(10);
        MappingClone clone = await cloning.InTime();
        Assert.Same(log, clone.Mapping.Log);
        await clone.Mapping.CloseAsync().InTime();
        byte[] bytes = await File.ReadAllBytesAsync(path);
        Assert.Equal(10UL, LoggedPages.Read(bytes.AsSpan(5 * 4096)));
    }

    [Fact]
    public async Task A_file_that_is_open_keeps_its_log()
    {
        ScriptedLog log = new();
        await using TestCache test = await TestCache.OpenAsync(log: log);
        await Assert.ThrowsAsync<MappingInUseException>(() => test.Cache.OpenAsync(test.Device, new MappingOptions { Log = new ScriptedLog() }).InTime());
        Mapping again = await test.Cache.OpenAsync(test.Device, new MappingOptions());
        Assert.Same(log, again.Log);
        await again.CloseAsync().InTime();
    }
}
