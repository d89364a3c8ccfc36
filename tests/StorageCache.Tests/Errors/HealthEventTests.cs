using System.Collections.Concurrent;
using StorageCache.Diagnostics;
using StorageCache.IO;
using StorageCache.Platform;
using StorageCache.Tests.Codecs;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Errors;

/// <remarks>E-3, E-4.</remarks>
public class HealthEventTests
{
    [Fact]
    public async Task A_page_that_cannot_be_written_is_told_once_and_once_that_it_has_been()
    {
        await using TestCache test = await TestCache.OpenAsync();
        ConcurrentQueue<HealthEventArgs> told = Listen(test.Cache);
        test.Fill(4, 1);
        test.Fill(5, 1);
        test.Fill(6, 1);
        test.Device.Fault = call => call.Operation == BlockOperation.Write && call.Covers(5) ? ScriptedDevice.Eio(call) : null;
        await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        test.Device.Fault = null;
        await test.Mapping.FlushAsync().InTime();
        Wait.Until(() => told.Count >= 2, "the events");
        test.Fill(5, 2);
        await test.Mapping.FlushAsync().InTime();
        HealthEventArgs[] all = [.. told];
        Assert.Equal([(HealthEventKind.WriteFailed, 5L), (HealthEventKind.WriteRecovered, 5L)], all.Select(item => (item.Kind, item.Page!.Value)));
        Assert.IsType<BlockIOException>(all[0].Error);
        Assert.Null(all[1].Error);
        Assert.All(all, item => Assert.Same(test.Mapping, item.Mapping));
        Assert.Equal(2, test.Cache.GetStatistics().WriteErrors);
    }

    [Fact]
    public async Task A_page_that_cannot_be_read_and_a_sync_that_fails_are_told()
    {
        ScriptedDevice device = new(64);
        TestCache test = await TestCache.OpenAsync(device: device);
        ConcurrentQueue<HealthEventArgs> told = Listen(test.Cache);
        device.Fault = call => call.Operation != BlockOperation.Write ? ScriptedDevice.Eio(call) : null;
        Assert.Throws<PageReadException>(() => test.Mapping.Read(7));
        test.Mapping.WriteNew(5).Dispose();
        await Assert.ThrowsAsync<FlushFailedException>(() => test.Mapping.FlushAsync().InTime());
        Wait.Until(() => told.Count == 2, "the events");
        Assert.Equal([(HealthEventKind.ReadFailed, 7L), (HealthEventKind.SyncFailed, null)], told.Select(item => (item.Kind, item.Page)));
        Assert.All(told, item => Assert.IsType<BlockIOException>(item.Error));
        Assert.Equal(1, test.Cache.GetStatistics().SyncErrors);
        Assert.Equal(1, test.Cache.GetStatistics().ReadErrors);
        await test.Mapping.CloseAsync().InTime();
        await test.DisposeAsync();
    }

    [Fact]
    public async Task A_page_that_is_corrupt_is_told_each_time_and_as_nothing_else()
    {
        ChecksumPageCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(codec: codec);
        ConcurrentQueue<HealthEventArgs> told = Listen(test.Cache);
        for (int page = 4; page < 8; page++)
        {
            test.Device.Memory.Write(page * 4096, TestCodecs.Encode(codec, page == 5 ? 9 : page, 1));
        }

        PageCorruptException error = Assert.Throws<PageCorruptException>(() => test.Mapping.Read(5));
        Wait.Until(() => told.Count == 1, "the event");
        Assert.Same(error, told.Single().Error);

        // Read ahead, it is nobody's error.
        test.Mapping.Prefetch(4, 4);
        Wait.Until(() => told.Count == 2, "the next event");
        Wait.Until(() => test.Cache.Core.Loads.InUse == 0, "the loads to end");
        Assert.Equal(1, test.ByteOf(6));
        Assert.All(told, item => Assert.Equal((HealthEventKind.PageCorrupt, (long?)5), (item.Kind, item.Page)));
        Assert.All(told, item => Assert.Same(test.Mapping, item.Mapping));
        Assert.Equal(2, test.Cache.GetStatistics().CorruptPages);
        Assert.Equal(0, test.Cache.GetStatistics().ReadErrors);
    }

    [Fact]
    public async Task A_codec_that_throws_is_told_as_a_page_that_cannot_be_read_or_written()
    {
        InvalidOperationException thrown = new("the key is gone");
        ScriptedCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(codec: codec);
        ConcurrentQueue<HealthEventArgs> told = Listen(test.Cache);
        test.Device.Memory.Write(5 * 4096, TestCodecs.Encode(codec, 5, 1));
        test.Fill(6, 1);
        codec.OnDecode = _ => throw thrown;
        codec.OnEncode = _ => throw thrown;
        Assert.Throws<PageReadException>(() => test.Mapping.Read(5));
        await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        codec.OnEncode = null;
        await test.Mapping.FlushAsync().InTime();
        Wait.Until(() => told.Count == 3, "the events");
        Assert.Equal(
            [(HealthEventKind.ReadFailed, 5L), (HealthEventKind.WriteFailed, 6L), (HealthEventKind.WriteRecovered, 6L)],
            told.Select(item => (item.Kind, item.Page!.Value)));
        Assert.Equal([thrown, thrown, null], told.Select(item => item.Error?.InnerException));
    }

    [Fact]
    public async Task A_log_that_fails_is_told_once_and_once_that_it_works_again()
    {
        IOException cause = new("broken");
        ScriptedLog log = new() { Fault = _ => cause };
        await using TestCache test = await TestCache.OpenAsync(log: log);
        ConcurrentQueue<HealthEventArgs> told = Listen(test.Cache);
        LoggedPages.Change(test.Mapping, 5, 10);
        await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        log.Fault = null;
        await test.Mapping.FlushAsync().InTime();
        Wait.Until(() => told.Count == 2, "the events");
        Assert.Equal([HealthEventKind.LogFailed, HealthEventKind.LogRecovered], told.Select(item => item.Kind));
        Assert.Same(cause, told.First().Error);
    }

    /// <summary>One that throws does not keep the event from the others.</summary>
    [Fact]
    public async Task A_handler_may_throw_and_use_the_cache_and_is_on_no_thread_of_the_cache()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Cache.HealthChanged += (_, _) => throw new InvalidOperationException("a handler threw");
        ConcurrentQueue<(bool IsPool, bool IsOwn, byte Read)> seen = [];
        test.Cache.HealthChanged += (sender, told) =>
        {
            bool isOwn = SynchronizationContext.Current is OwnThread;
            using PageReadLease lease = ((PageCache)sender!).IsDisposed ? default : told.Mapping.Read(told.Page!.Value);
            seen.Enqueue((Thread.CurrentThread.IsThreadPoolThread, isOwn, lease.Span[0]));
        };
        test.Fill(5, 0x5a);
        test.Device.Fault = call => call.Operation == BlockOperation.Write ? ScriptedDevice.Eio(call) : null;
        await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        Wait.Until(() => seen.Count == 1, "the event");
        Assert.Equal((true, false, (byte)0x5a), seen.Single());
        test.Device.Fault = null;
        await test.Mapping.FlushAsync().InTime();
        Wait.Until(() => seen.Count == 2, "the next event");
    }

    /// <summary>What comes while a handler does not end is kept up to a number, and counted beyond that.</summary>
    [Fact]
    public async Task A_handler_that_blocks_holds_up_events_and_nothing_else()
    {
        await using TestCache test = await TestCache.OpenAsync();
        using ManualResetEventSlim gate = new();
        ConcurrentQueue<HealthEventArgs> told = [];
        test.Cache.HealthChanged += (_, item) =>
        {
            told.Enqueue(item);
            gate.Wait();
        };
        test.Device.Fault = call => call.Operation == BlockOperation.Read ? ScriptedDevice.Eio(call) : null;
        Assert.Throws<PageReadException>(() => test.Mapping.Read(5));
        Wait.Until(() => told.Count == 1, "the first event");
        for (int i = 0; i < HealthEvents.MostKept + 10; i++)
        {
            Assert.Throws<PageReadException>(() => test.Mapping.Read(5));
        }

        test.Device.Fault = null;
        test.Fill(5, 1);
        await test.Mapping.FlushAsync().InTime();
        gate.Set();
        Wait.Until(() => told.Count == HealthEvents.MostKept + 1, "those that were kept");
        Assert.All(told, item => Assert.Equal(0, item.Dropped));
        test.Device.Fault = call => call.Operation == BlockOperation.Read ? ScriptedDevice.Eio(call) : null;
        Assert.Throws<PageReadException>(() => test.Mapping.Read(6));
        Wait.Until(() => told.Count == HealthEvents.MostKept + 2, "the next one");
        Assert.Equal(10, told.Last().Dropped);
    }

    [Fact]
    public async Task Whoever_has_gone_hears_nothing()
    {
        await using TestCache test = await TestCache.OpenAsync();
        int first = 0;
        void Count(object? sender, HealthEventArgs told) => Interlocked.Increment(ref first);
        test.Cache.HealthChanged += Count;
        test.Cache.HealthChanged -= Count;
        ConcurrentQueue<HealthEventArgs> told = Listen(test.Cache);
        test.Device.Fault = call => ScriptedDevice.Eio(call);
        Assert.Throws<PageReadException>(() => test.Mapping.Read(5));
        Wait.Until(() => told.Count == 1, "the event");
        Assert.Equal(0, first);
    }

    /// <summary>A device that is full fails for as many pages as there are: only so many are kept in mind, and those that are gone make room.</summary>
    [Fact]
    public async Task Pages_that_are_gone_do_not_keep_others_from_being_told()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 3000, memory: 32 << 20);
        test.Device.Records = false;
        ConcurrentQueue<HealthEventArgs> told = [];
        test.Cache.HealthChanged += (_, item) => told.Enqueue(item);
        test.Device.Fault = call => call.Operation == BlockOperation.Write ? ScriptedDevice.Eio(call) : null;
        for (int page = 1000; page < 1000 + FailedPages; page++)
        {
            test.Fill(page, 1);
        }

        await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        await test.Mapping.TruncateAsync(1000 * 4096).InTime();
        test.Fill(7, 1);
        await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        Wait.Until(() => told.Any(item => item.Page == 7), "the page to be told of");
    }

    private const int FailedPages = StorageCache.Writeback.FailedPages.MostKept;

    private static ConcurrentQueue<HealthEventArgs> Listen(PageCache cache)
    {
        ConcurrentQueue<HealthEventArgs> told = [];
        cache.HealthChanged += (sender, item) =>
        {
            Assert.Same(cache, sender);
            told.Enqueue(item);
        };
        return told;
    }
}
