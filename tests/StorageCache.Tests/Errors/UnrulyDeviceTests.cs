using System.Collections.Concurrent;
using StorageCache.Diagnostics;
using StorageCache.IO;
using StorageCache.Tests.Codecs;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Errors;

/// <remarks>I/O-15: whatever a device does, the operation that it was asked for ends, nothing is lost and nobody hangs.</remarks>
public sealed class UnrulyDeviceTests : IAsyncDisposable
{
    private readonly UnrulyDevice _device = new(64);
    private readonly PageCache _cache = new(new PageCacheOptions { MemoryLimit = 4 << 20, WriteBackInterval = TimeSpan.FromHours(1), DirtyBackgroundRatio = 0.9, DirtyLimitRatio = 0.95 });

    public async ValueTask DisposeAsync()
    {
        _device.Instead = null;
        _device.LengthFault = null;
        _device.SetLengthFault = null;
        Wait.Until(() => IntegrityCheck.Run(_cache.Core).Count == 0, "the cache to be sound");
        await _cache.DisposeAsync().InTime();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_read_that_throws_fails_with_what_was_thrown(bool isAsync)
    {
        Mapping mapping = await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });
        InvalidOperationException thrown = new("thrown by the device");
        _device.Instead = _ => throw thrown;
        PageReadException error = isAsync
            ? await Assert.ThrowsAsync<PageReadException>(() => mapping.ReadAsync(5).InTime())
            : Assert.Throws<PageReadException>(() => mapping.Read(5));
        Assert.Same(thrown, error.GetBaseException());
        Assert.Contains("thrown by the device", error.Message, StringComparison.Ordinal);
        Assert.Throws<PageReadException>(() => mapping.Write(5));
        Assert.Throws<PageReadException>(() => mapping.Pin(5));
        Assert.Equal(0, _cache.Core.Heads.InUse);

        _device.Instead = null;
        mapping.Read(5).Dispose();
    }

    [Fact]
    public async Task An_input_output_exception_is_passed_on_as_it_is()
    {
        Mapping mapping = await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });
        BlockIOException thrown = new("no", 28);
        _device.Instead = _ => throw thrown;
        PageReadException error = Assert.Throws<PageReadException>(() => mapping.Read(5));
        Assert.Same(thrown, error.InnerException);
        Assert.Equal(28, error.HResult);
    }

    /// <remarks>A device that reads through another cache: what is corrupt there is no page of this mapping (PC-3).</remarks>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_corrupt_page_of_another_cache_is_not_taken_for_the_mappings_own(bool hasCodec)
    {
        Mapping mapping = await _cache.OpenAsync(
            _device, new MappingOptions { AccessPattern = AccessPattern.Random, Codec = hasCodec ? new ChecksumPageCodec(TestCodecs.FileId) : null });
        ConcurrentQueue<HealthEventKind> told = [];
        _cache.HealthChanged += (_, item) => told.Enqueue(item.Kind);
        PageCorruptException thrown = Throw.MakeCorrupt("another file", 3, new PageDefect("it is torn"));
        _device.Instead = _ => throw thrown;
        PageReadException error = Assert.Throws<PageReadException>(() => mapping.Read(5));
        Assert.Same(thrown, error.InnerException);
        Assert.Equal((_device.Name, 5L), (error.Path, error.Page!.Value));
        Wait.Until(() => !told.IsEmpty, "the event");
        Assert.Equal([HealthEventKind.ReadFailed], told);
        Assert.Equal(0, _cache.GetStatistics().CorruptPages);
    }

    /// <remarks>M-1: the one the read was for gets the error, the next in line has its own try.</remarks>
    [Fact]
    public async Task Those_behind_a_read_that_throws_get_their_own_try()
    {
        Mapping mapping = await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });
        _device.Inner.Write(5 * 4096, new byte[] { 5 });
        int reads = 0;
        using ManualResetEventSlim gate = new();
        _device.Instead = _ =>
        {
            gate.Wait();
            return ++reads <= 3 ? throw new InvalidOperationException() : false;
        };
        Task<byte>[] readers = [.. Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(
            () =>
            {
                using PageReadLease lease = mapping.Read(5);
                return lease.Span[0];
            },
            TaskCreationOptions.LongRunning))];
        Wait.Until(() => _cache.Core.Counters.Waits >= 7, "seven to stand in line");
        gate.Set();
        int failed = 0;
        foreach (Task<byte> reader in readers)
        {
            try
            {
                Assert.Equal(5, await reader.InTime());
            }
            catch (PageReadException)
            {
                failed++;
            }
        }

        Assert.Equal(3, failed);
    }

    [Fact]
    public async Task A_prefetch_that_throws_is_narrowed()
    {
        Mapping mapping = await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });
        _device.Instead = request => request.Segments.Length > 1 ? throw new InvalidOperationException() : false;
        mapping.Prefetch(0, 8);
        Wait.Until(() => _cache.Core.Loads.InUse == 0, "the prefetch to end");
        Assert.Equal(8, mapping.ResidentPages);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public async Task A_write_that_throws_leaves_its_pages_dirty(int pages)
    {
        Mapping mapping = await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });
        Fill(mapping, pages, 0x31);
        InvalidOperationException thrown = new();
        _device.Instead = request => request.Operation == BlockOperation.Write ? throw thrown : false;
        PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => mapping.FlushAsync().InTime());
        Assert.Same(thrown, error.GetBaseException());
        Assert.Equal(pages, _cache.GetStatistics().DirtyPages);
        await Assert.ThrowsAsync<PageWriteException>(() => mapping.CloseAsync().InTime());

        _device.Instead = null;
        await mapping.FlushAsync().InTime();
        byte[] bytes = new byte[1];
        _device.Inner.Read((pages * 4096) - 1, bytes);
        Assert.Equal(0x31, bytes[0]);
    }

    /// <summary>The thread that writes in the background lives on.</summary>
    [Fact]
    public async Task Writes_that_throw_do_not_end_the_background_write_back()
    {
        Mapping mapping = await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });
        Fill(mapping, 1, 1);
        int writes = 0;
        _device.Instead = request => request.Operation == BlockOperation.Write && Interlocked.Increment(ref writes) == 1 ? throw new InvalidOperationException() : false;
        _cache.Core.WriteBack.Kick(urgent: true);
        Wait.Until(() => _cache.GetStatistics().WriteErrors == 1, "the first try");
        Wait.Until(
            () =>
            {
                _cache.Core.WriteBack.Kick(urgent: true);
                return _cache.GetStatistics().DirtyPages == 0;
            },
            "the page to be written after all");
    }

    /// <remarks>WB-5.</remarks>
    [Fact]
    public async Task A_sync_that_throws_is_a_failed_sync()
    {
        Mapping mapping = await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });
        Fill(mapping, 1, 1);
        InvalidOperationException thrown = new();
        _device.Instead = request => request.Operation == BlockOperation.Flush ? throw thrown : false;
        FlushFailedException error = await Assert.ThrowsAsync<FlushFailedException>(() => mapping.FlushAsync().InTime());
        Assert.Same(thrown, error.GetBaseException());
        Assert.Equal(MappingState.Failed, mapping.State);
        await mapping.CloseAsync().InTime();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_length_that_throws_fails_the_flush_or_the_cut_and_nothing_else(bool inTheTask)
    {
        Mapping mapping = await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });
        _device.FailsInTheTask = inTheTask;
        _device.SetLengthFault = new InvalidOperationException();
        await mapping.ExtendAsync(100 * 4096);
        PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => mapping.FlushAsync().InTime());
        Assert.Same(_device.SetLengthFault, error.GetBaseException());
        error = await Assert.ThrowsAsync<PageWriteException>(() => mapping.TruncateAsync(4096).InTime());
        Assert.Same(_device.SetLengthFault, error.GetBaseException());
        Assert.Equal(100 * 4096, mapping.Length);
        Assert.Equal(MappingState.Open, mapping.State);

        _device.SetLengthFault = null;
        _device.LengthFault = new OperationCanceledException();
        error = await Assert.ThrowsAsync<PageWriteException>(() => mapping.FlushAsync().InTime());
        Assert.Same(_device.LengthFault, error.GetBaseException());
        _device.LengthFault = null;
        await mapping.TruncateAsync(4096).InTime();
        await mapping.FlushAsync().InTime();
        Assert.Equal(4096, _device.Length);
    }

    [Fact]
    public async Task A_device_that_does_not_say_how_long_it_is_cannot_be_opened()
    {
        _device.LengthFault = new InvalidOperationException();
        IOException error = await Assert.ThrowsAsync<BlockIOException>(() => _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random }).InTime());
        Assert.Same(_device.LengthFault, error.InnerException);
        _device.LengthFault = null;
        Assert.Equal(64, (await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random }).InTime()).PageCount);
    }

    /// <remarks>I/O-5: a write transfers all of its bytes or fails.</remarks>
    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(4095)]
    [InlineData(4097)]
    [InlineData(int.MaxValue)]
    public async Task A_write_completed_short_or_long_has_failed(int bytes)
    {
        Mapping mapping = await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });
        Fill(mapping, 1, 0x44);
        _device.Instead = request =>
        {
            if (request.Operation == BlockOperation.Write)
            {
                request.Complete(bytes);
                return true;
            }

            return false;
        };
        PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => mapping.FlushAsync().InTime());
        Assert.Contains($"completed by its device as {bytes} bytes", error.Message, StringComparison.Ordinal);
        Assert.Equal(1, _cache.GetStatistics().DirtyPages);
        _device.Instead = null;
        await mapping.CloseAsync().InTime();
        byte[] written = new byte[1];
        _device.Inner.Read(0, written);
        Assert.Equal(0x44, written[0]);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(4097)]
    public async Task A_read_completed_with_an_impossible_count_has_failed(int bytes)
    {
        Mapping mapping = await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });
        _device.Instead = request =>
        {
            request.Complete(bytes);
            return true;
        };
        Assert.Throws<PageReadException>(() => mapping.Read(0));
        await Assert.ThrowsAsync<PageReadException>(() => mapping.ReadAsync(0).InTime());
    }

    /// <remarks>M-4: only what lies beyond the end reads as zeros, and not what a device has failed to bring.</remarks>
    [Fact]
    public async Task A_read_that_stops_before_the_end_of_the_device_has_failed()
    {
        Mapping mapping = await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });
        _device.Instead = request =>
        {
            request.Complete(100);
            return true;
        };
        PageReadException error = Assert.Throws<PageReadException>(() => mapping.Read(7));
        Assert.Contains("ended at 28772", error.Message, StringComparison.Ordinal);
        mapping.Prefetch(0, 4);
        Wait.Until(() => _cache.Core.Loads.InUse == 0, "the prefetch to end");
        Assert.Equal(0, mapping.ResidentPages);
        _device.LengthFault = new InvalidOperationException();
        Assert.Throws<PageReadException>(() => mapping.Read(7));
    }

    /// <summary>The device ends before the page when it is read, and has grown beyond it when the length is looked at.</summary>
    [Fact]
    public async Task A_read_that_ended_where_the_device_did_then_is_no_error()
    {
        Mapping mapping = await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });
        await mapping.ExtendAsync(100 * 4096);
        int reads = 0;
        _device.Instead = request =>
        {
            if (++reads == 1)
            {
                _device.Inner.Write(80 * 4096, new byte[] { 80 });
                request.Complete(0);
                return true;
            }

            return false;
        };
        using PageReadLease lease = mapping.Read(80);
        Assert.Equal(80, lease.Span[0]);
        Assert.Equal(2, reads);
    }

    [Fact]
    public async Task A_failure_without_a_reason_is_a_failure()
    {
        Mapping mapping = await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });
        _device.Instead = request =>
        {
            request.Fail(null!);
            return true;
        };
        Assert.Throws<PageReadException>(() => mapping.Read(0));
    }

    /// <remarks>I/O-1.</remarks>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_thrown_after_a_completion_has_no_effect(bool twice)
    {
        Mapping mapping = await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });
        _device.Instead = request =>
        {
            _device.Inner.Execute(request);
            if (twice)
            {
                request.Complete(0);
            }

            throw new InvalidOperationException();
        };
        mapping.Read(0).Dispose();
        (await mapping.ReadAsync(1).InTime()).Dispose();
        Fill(mapping, 10, 0x77);
        await mapping.FlushAsync().InTime();
        mapping.Prefetch(20, 8);
        byte[] bytes = new byte[1];
        _device.Inner.Read(9 * 4096, bytes);
        Assert.Equal(0x77, bytes[0]);
        Assert.Equal(18, mapping.ResidentPages);
    }

    /// <summary>A request that was thrown away is never used again: a late completion finds nobody (I/O-1).</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_completion_after_having_thrown_is_refused(bool isWrite)
    {
        Mapping mapping = await _cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });
        List<BlockRequest> thrown = [];
        Fill(mapping, 8, 9);
        _device.Instead = request =>
        {
            lock (thrown)
            {
                thrown.Add(request);
            }

            throw new InvalidOperationException();
        };
        if (isWrite)
        {
            await Assert.ThrowsAsync<PageWriteException>(() => mapping.FlushAsync().InTime());
            Assert.Equal(9, thrown.Count);
        }
        else
        {
            Task<PageReadLease>[] readers = [.. Enumerable.Range(0, 5).Select(_ => mapping.ReadAsync(20).AsTask())];
            foreach (Task<PageReadLease> reader in readers)
            {
                await Assert.ThrowsAsync<PageReadException>(() => reader.InTime());
            }

            mapping.Prefetch(30, 8);
            Wait.Until(() => _cache.Core.Loads.InUse == 0, "the prefetch to end");
            Assert.Equal(14, thrown.Count);
        }

        _device.Instead = null;
        Assert.Equal(thrown.Count, thrown.Distinct().Count());
        for (int page = 0; page < 64; page++)
        {
            mapping.Read(page).Dispose();
        }

        await mapping.FlushAsync().InTime();
        Assert.All(thrown, request => Assert.Throws<InvalidOperationException>(() => request.Complete(request.ByteCount)));
        Assert.All(thrown, request => Assert.Throws<InvalidOperationException>(() => request.Fail(new IOException())));
    }

    [Fact]
    public async Task The_cache_can_be_disposed_of_while_its_device_throws()
    {
        UnrulyDevice device = new(4);
        PageCache cache = new(new PageCacheOptions { MemoryLimit = 4 << 20 });
        Mapping mapping = await cache.OpenAsync(device);
        Fill(mapping, 3, 1);
        device.Instead = _ => throw new InvalidOperationException();
        await Assert.ThrowsAsync<PageWriteException>(() => cache.DisposeAsync().InTime());
        Assert.Equal(MappingState.Closed, mapping.State);
    }

    private static void Fill(Mapping mapping, int pages, byte value)
    {
        for (int page = 0; page < pages; page++)
        {
            using PageWriteLease lease = mapping.WriteNew(page);
            lease.Span.Fill(value);
            lease.MarkDirty();
        }
    }
}
