using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Mappings;

/// <summary>Punches among leases, reads and writes of the same pages, each order forced to happen.</summary>
public sealed class PunchRaceTests : IAsyncLifetime
{
    /// <summary>What the device waits for before it is punched.</summary>
    private readonly TaskCompletionSource _gate = new();

    private readonly TaskCompletionSource _reached = new();
    private TestCache _test = null!;
    private Task<PageReadLease>? _reader;

    public async ValueTask InitializeAsync()
    {
        _test = await TestCache.OpenAsync();
        for (int page = 0; page < 64; page++)
        {
            _test.Device.Fill(page, 0x11);
        }
    }

    public ValueTask DisposeAsync() => _test.DisposeAsync();

    [Fact]
    public async Task A_punch_waits_for_leases_of_the_range_and_of_no_others()
    {
        using PageWriteLease other = _test.Mapping.Write(4);
        PageReadLease held = _test.Mapping.Read(10);
        Task punch = _test.Mapping.PunchAsync(5, 20).AsTask();
        _test.WaitForWaiters(10, 1);
        Assert.Empty(_test.Device.Punches);

        // Others are not kept out while it waits.
        _test.Fill(11, 0x22);
        Assert.Equal(0x11, _test.ByteOf(12));
        held.Dispose();
        await punch.InTime();
        Assert.Equal(0, _test.ByteOf(10));
        Assert.Equal(0, _test.ByteOf(11));
    }

    /// <remarks>M-10.</remarks>
    [Fact]
    public async Task A_cancelled_punch_leaves_everything_as_it_was()
    {
        for (int page = 0; page < 20; page++)
        {
            _test.Fill(page, (byte)(page + 1));
        }

        PageReadLease held = _test.Mapping.Read(10);
        using CancellationTokenSource source = new();
        Task punch = _test.Mapping.PunchAsync(0, 64, source.Token).AsTask();
        _test.WaitForWaiters(10, 1);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => punch.InTime());
        held.Dispose();
        for (int page = 0; page < 30; page++)
        {
            Assert.Equal(page < 20 ? page + 1 : 0x11, _test.ByteOf(page));
        }

        await _test.Mapping.FlushAsync().InTime();
        Assert.Equal(20, _test.Device.Bytes(19)[0]);
        Assert.Empty(_test.Device.Punches);
    }

    /// <summary>A write that landed after the device was punched would bring the old bytes back (M-8).</summary>
    [Fact]
    public async Task A_write_that_is_under_way_is_waited_for()
    {
        _test.Fill(10, 0x22);
        _test.Device.Hold = call => call.Operation == BlockOperation.Write;
        _test.Cache.Core.WriteBack.Kick(urgent: true);
        _test.Device.WaitForHeld(1);
        Task punch = _test.Mapping.PunchAsync(5, 20).AsTask();
        Assert.False(punch.IsCompleted);
        Assert.Empty(_test.Device.Punches);
        _test.Device.ReleaseAll();
        await punch.InTime();
        await AssertZeroAsync(10);
    }

    /// <summary>A read that is under way while the device is punched would bring old bytes, or some of them (M-8).</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_read_that_is_under_way_is_waited_for(bool fails)
    {
        _test.Device.Hold = call => call.Operation == BlockOperation.Read;
        _test.Device.Fault = call => fails && call.Operation == BlockOperation.Read ? ScriptedDevice.Eio(call) : null;
        Task<PageReadLease> reader = _test.Mapping.ReadAsync(10).AsTask();
        Assert.Equal(2, _test.Mapping.Prefetch(12, 2));
        Task punch = _test.Mapping.PunchAsync(5, 20).AsTask();
        _test.WaitForWaiters(10, 2);
        Assert.Empty(_test.Device.Punches);
        _test.Device.ReleaseAll();
        if (fails)
        {
            await Assert.ThrowsAsync<PageReadException>(() => reader.InTime());
        }
        else
        {
            (await reader.InTime()).Dispose();
        }

        await punch.InTime();
        _test.Device.Fault = null;
        await AssertZeroAsync(10, 12, 13);
    }

    /// <summary>One that comes in between the visit to the pages and the punch of the device is waited for without its leases (M-9).</summary>
    [Fact]
    public async Task A_read_that_begins_while_the_punch_waits_for_writes_waits_for_the_punch()
    {
        _test.Fill(40, 0x22);
        _test.Device.Hold = call => call.Operation == BlockOperation.Write;
        _test.Cache.Core.WriteBack.Kick(urgent: true);
        _test.Device.WaitForHeld(1);
        Task punch = _test.Mapping.PunchAsync(5, 20).AsTask();
        Task<PageReadLease> reader = _test.Mapping.ReadAsync(10).AsTask();
        Task<PageReadLease> outside = _test.Mapping.ReadAsync(30).AsTask();
        (await outside.InTime()).Dispose();
        Assert.False(reader.IsCompleted);
        _test.Device.ReleaseAll();
        await punch.InTime();
        using PageReadLease lease = await reader.InTime();
        Assert.Equal(0, lease.Span[0]);
    }

    /// <summary>A punch that no page may come in for waits for reads, and not for those who are granted what was read (M-9).</summary>
    [Fact]
    public async Task One_who_was_granted_a_page_that_the_punch_waited_for_may_wait_for_another()
    {
        PageReadLease held = _test.Mapping.Read(20);
        Task punch = await PunchToGateAsync(5, 20, () =>
        {
            // The punch is past page 10 when it stands in line for page 20.
            _test.WaitForWaiters(20, 1);
            _test.Device.Hold = call => call.Operation == BlockOperation.Read;
            _reader = _test.Mapping.ReadAsync(10).AsTask();
            held.Dispose();
            _test.WaitForWaiters(10, 2);
            _test.Device.ReleaseAll();
        });
        using (PageReadLease lease = await _reader!.InTime())
        {
            Task<PageReadLease> next = _test.Mapping.ReadAsync(11).AsTask();
            Assert.False(next.IsCompleted);
            _gate.SetResult();
            (await next.InTime()).Dispose();
        }

        await punch.InTime();
        await AssertZeroAsync(10, 11);
    }

    /// <summary>M-8, each way to bring a page in.</summary>
    [Fact]
    public async Task Absent_pages_come_in_only_when_the_device_has_been_punched()
    {
        Task punch = await PunchToGateAsync(5, 20);
        Task<PageReadLease> reader = _test.Mapping.ReadAsync(10).AsTask();
        Task<PageWriteLease> writer = _test.Mapping.WriteAsync(11).AsTask();
        Task<PageWriteLease> maker = _test.Mapping.WriteNewAsync(12).AsTask();
        Task<PagePin> pinning = _test.Mapping.PinAsync(13).AsTask();
        Task<byte> blocked = Task.Factory.StartNew(() => _test.ByteOf(14), TaskCreationOptions.LongRunning);
        using CancellationTokenSource source = new();
        Task<PageReadLease> leaver = _test.Mapping.ReadAsync(15, source.Token).AsTask();
        Assert.False(_test.Mapping.TryWriteNew(16, out _));
        Assert.Equal(0, _test.Mapping.Prefetch(17, 3));
        Assert.Equal(0, _test.Device.Reads);
        Assert.Equal(0x11, _test.ByteOf(25));
        Assert.Throws<LatchTimeoutException>(() => _test.Mapping.Read(18, TimeSpan.FromMilliseconds(1)));
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaver.InTime());
        Assert.False(reader.IsCompleted || writer.IsCompleted || maker.IsCompleted || pinning.IsCompleted);
        _gate.SetResult();
        await punch.InTime();
        using (PageReadLease lease = await reader.InTime())
        {
            Assert.Equal(0, lease.Span[0]);
        }

        using (PageWriteLease lease = await writer.InTime())
        {
            Assert.Equal(0, lease.Span[0]);
        }

        (await maker.InTime()).Dispose();
        (await pinning.InTime()).Dispose();
        await blocked.InTime();
        Assert.Equal(0, await blocked);
    }

    /// <summary>Pages in memory can be had meanwhile, changed with them what is dropped, and nothing of it is written (M-8).</summary>
    [Fact]
    public async Task What_is_written_to_an_old_page_while_the_device_is_punched_goes_with_the_page()
    {
        Assert.Equal(0x11, _test.ByteOf(10));
        Task punch = await PunchToGateAsync(5, 20);
        _test.Fill(10, 0x22);
        _test.Fill(40, 0x33);
        _test.Cache.Core.WriteBack.Kick(urgent: true);
        Wait.Until(() => _test.Device.Writes == 1, "the page outside to be written");
        Assert.Equal(0x22, _test.ByteOf(10));
        _gate.SetResult();
        await punch.InTime();
        Assert.Equal(0, _test.Cache.GetStatistics().DirtyPages);
        Assert.Equal(1, _test.Device.Writes);
        await AssertZeroAsync(10);
    }

    /// <summary>Who holds a page of the range may bring another one in: the punch waits for such a one only with the way open (M-9).</summary>
    [Fact]
    public async Task One_who_holds_a_page_of_the_range_is_not_kept_from_bringing_another_in()
    {
        Assert.Equal(0x11, _test.ByteOf(10));
        Task punch = await PunchToGateAsync(5, 20);
        PageReadLease held = _test.Mapping.Read(10);
        Task<PageWriteLease> next = _test.Mapping.WriteAsync(11).AsTask();
        Assert.False(next.IsCompleted);
        _gate.SetResult();
        using (PageWriteLease lease = await next.InTime())
        {
            Assert.Equal(0, lease.Span[0]);
            lease.Span.Fill(0x44);
            lease.MarkDirty();
        }

        // The punch stands in line for the page that is held; the one that came in after it is nobody's to take away.
        _test.WaitForWaiters(10, 1);
        Assert.Equal(0x11, held.Span[0]);
        held.Dispose();
        await punch.InTime();
        Assert.Equal(0, _test.ByteOf(10));
        Assert.Equal(0x44, _test.ByteOf(11));
        await _test.Mapping.FlushAsync().InTime();
        Assert.Equal(0x44, _test.Device.Bytes(11)[0]);
    }

    /// <summary>A page that is stale, is evicted, and comes back before the punch gets to it is new: what is written to it stays (M-8).</summary>
    [Fact]
    public async Task A_page_that_has_come_back_since_the_device_was_punched_is_left_alone()
    {
        Assert.Equal(0x11, _test.ByteOf(10));
        Assert.Equal(0x11, _test.ByteOf(12));
        Task punch = await PunchToGateAsync(5, 20);
        PageReadLease first = _test.Mapping.Read(10);
        PageReadLease second = _test.Mapping.Read(12);
        _gate.SetResult();
        _test.WaitForWaiters(10, 1);
        second.Dispose();
        _test.Evict(12);
        Assert.Equal(0, _test.ByteOf(12));
        _test.Fill(12, 0x44);
        _test.Cache.Core.WriteBack.Kick(urgent: true);
        Wait.Until(() => _test.Device.Writes == 1, "the new page to be written");
        first.Dispose();
        await punch.InTime();
        Assert.Equal(0x44, _test.ByteOf(12));
        Assert.Equal(0, _test.ByteOf(10));
    }

    [Fact]
    public async Task A_flush_a_truncation_and_another_punch_wait_for_the_end()
    {
        _test.Fill(10, 0x22);
        Task punch = await PunchToGateAsync(5, 20);
        Task flush = _test.Mapping.FlushAsync().AsTask();
        Task truncation = _test.Mapping.TruncateAsync(12 * 4096).AsTask();
        Task another = _test.Mapping.PunchAsync(0, 2).AsTask();
        Assert.False(flush.IsCompleted || truncation.IsCompleted || another.IsCompleted);
        Assert.Equal(64 * 4096, _test.Mapping.Length);
        _gate.SetResult();
        await Task.WhenAll(punch, flush, truncation, another).InTime();
        Assert.Equal(2, _test.Device.Punches.Count);
        Assert.Equal(12 * 4096, _test.Device.Length);
        await AssertZeroAsync(0, 1, 5, 10, 11);
    }

    /// <summary>A cache whose frames are all dirty and of the range: they go without being written.</summary>
    [Fact]
    public async Task Dirty_pages_that_fill_the_cache_are_punched()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 600, memory: TestCache.Smallest);
        test.Device.Fault = call => call.Operation == BlockOperation.Write ? ScriptedDevice.Eio(call) : null;
        long page = 0;
        while (test.Mapping.TryWriteNew(page, out PageWriteLease lease))
        {
            page++;
            lease.Dispose();
        }

        Task<PageReadLease> reader = test.Mapping.ReadAsync(500).AsTask();
        await test.Mapping.PunchAsync(0, 500).InTime();
        (await reader.InTime()).Dispose();
        Assert.Equal(0, test.Cache.GetStatistics().DirtyPages);
    }

    private async Task<Task> PunchToGateAsync(long firstPage, long count, Action? meanwhile = null)
    {
        _test.Device.BeforePunch = () =>
        {
            _reached.TrySetResult();
            return _gate.Task;
        };
        Task punch = _test.Mapping.PunchAsync(firstPage, count).AsTask();
        meanwhile?.Invoke();
        await _reached.Task.InTime();
        return punch;
    }

    private async Task AssertZeroAsync(params long[] pages)
    {
        foreach (long page in pages)
        {
            Assert.Equal(0, _test.ByteOf(page));
        }

        await _test.Mapping.FlushAsync().InTime();
        foreach (long page in pages)
        {
            Assert.Equal(-1, _test.Device.Bytes(page).AsSpan().IndexOfAnyExcept((byte)0));
        }
    }
}
