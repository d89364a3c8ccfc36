using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Mappings;

public class CloseTests
{
    private static readonly TimeSpan s_short = TimeSpan.FromMilliseconds(60);

    [Fact]
    public async Task A_closed_mapping_refuses_everything()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(1, 1);
        Mapping m = test.Mapping;
        await m.CloseAsync().InTime();
        Assert.Equal(MappingState.Closed, m.State);
        Assert.Equal(1, test.Device.Bytes(1)[0]);
        Assert.Throws<MappingClosedException>(() => m.Read(1));
        Assert.Throws<MappingClosedException>(() => m.Write(1));
        Assert.Throws<MappingClosedException>(() => m.WriteNew(1));
        Assert.Throws<MappingClosedException>(() => m.Pin(1));
        Assert.Throws<MappingClosedException>(() => m.ReadOptimistic(1));
        Assert.Throws<MappingClosedException>(() => m.Prefetch(1, 1));
        Assert.False(m.TryRead(1, out _));
        await Assert.ThrowsAsync<MappingClosedException>(() => m.ReadAsync(1).AsTask());
        await Assert.ThrowsAsync<MappingClosedException>(() => m.FlushAsync().AsTask());
        await Assert.ThrowsAsync<MappingClosedException>(() => m.ExtendAsync(1).AsTask());
        await Assert.ThrowsAsync<MappingClosedException>(() => m.TruncateAsync(0).AsTask());
        await m.CloseAsync();
        await m.DisposeAsync();
    }

    [Fact]
    public async Task A_disposed_cache_refuses_everything()
    {
        TestCache test = await TestCache.OpenAsync();
        Mapping m = test.Mapping;
        m.Read(1).Dispose();
        await test.DisposeAsync();
        Assert.Throws<CacheDisposedException>(() => m.Read(1));
        Assert.Throws<CacheDisposedException>(() => m.Write(1));
        await Assert.ThrowsAsync<CacheDisposedException>(() => test.Cache.OpenAsync(test.Device).AsTask());
        await Assert.ThrowsAsync<CacheDisposedException>(() => test.Cache.FlushAsync().AsTask());
        await Assert.ThrowsAsync<CacheDisposedException>(() => test.Cache.ResizeAsync(4 << 20).AsTask());
        await test.Cache.DisposeAsync();
        test.Cache.Dispose();
    }

    /// <summary>Nobody would write what it changed. What is in memory can be read until the lease is returned.</summary>
    [Fact]
    public async Task Who_holds_a_lease_over_the_disposal_of_the_cache_gets_none_to_write_with()
    {
        TestCache test = await TestCache.OpenAsync(frameTimeout: s_short);
        Mapping m = test.Mapping;
        m.Read(2).Dispose();
        OptimisticRead read = m.ReadOptimistic(2);
        using PagePin pin = m.Pin(1);
        await Assert.ThrowsAsync<MappingBusyException>(() => test.Cache.DisposeAsync().InTime());
        Assert.Equal(MappingState.Closing, m.State);
        Assert.False(pin.TryWrite(out _));
        Assert.Throws<CacheDisposedException>(() => pin.Write());
        Assert.Throws<CacheDisposedException>(() => m.TryWrite(1, out _));
        Assert.Throws<CacheDisposedException>(() => m.Write(1));
        Assert.Throws<CacheDisposedException>(() => m.TryWriteNew(1, out _));
        Assert.Throws<CacheDisposedException>(() => read.TryUpgrade(out PageWriteLease _));
        Assert.Throws<CacheDisposedException>(() => m.Prefetch(0, 9));
        await Assert.ThrowsAsync<CacheDisposedException>(() => m.ExtendAsync(1 << 20).AsTask());
        await Assert.ThrowsAsync<CacheDisposedException>(() => m.TruncateAsync(0).AsTask());
        Assert.True(pin.TryRead(out PageReadLease lease));
        lease.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_mapping_with_a_lease_or_pin_outstanding_is_busy_and_stays_usable(bool pinned)
    {
        await using TestCache test = await TestCache.OpenAsync(frameTimeout: s_short);
        test.Fill(3, 3);
        PagePin pin = pinned ? test.Mapping.Pin(1) : default;
        PageReadLease lease = pinned ? default : test.Mapping.Read(1);
        MappingBusyException error = await Assert.ThrowsAsync<MappingBusyException>(() => test.Mapping.CloseAsync().InTime());
        Assert.Equal(1, error.Page);
        Assert.Equal(MappingState.Open, test.Mapping.State);
        test.Fill(1 + 1, 7);
        if (pinned)
        {
            test.Fill(1, 8);
        }

        Assert.Equal(3, test.ByteOf(3));
        await test.Mapping.FlushAsync().InTime();
        pin.Dispose();
        lease.Dispose();
        await test.Mapping.CloseAsync().InTime();
        Assert.Equal(7, test.Device.Bytes(2)[0]);
    }

    [Fact]
    public async Task Close_waits_for_leases_and_pins()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PagePin pin = test.Mapping.Pin(1);
        PageReadLease lease = test.Mapping.Read(2);
        Task closing = test.Mapping.CloseAsync().AsTask();
        lease.Dispose();
        await Task.Delay(20);
        Assert.False(closing.IsCompleted);
        pin.Dispose();
        await closing.InTime();
    }

    /// <summary>A change that is made under a lease which is returned while the mapping closes must not be lost.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_change_under_a_lease_that_is_returned_during_the_close_is_kept(bool wasDirty)
    {
        await using TestCache test = await TestCache.OpenAsync();
        if (wasDirty)
        {
            test.Fill(5, 0x10);
        }

        PageWriteLease lease = test.Mapping.Write(5);
        Task closing = test.Mapping.CloseAsync().AsTask();
        await Task.Delay(30);
        Assert.False(closing.IsCompleted);
        lease.Span.Fill(0x99);
        lease.MarkDirty();
        lease.Dispose();
        await closing.InTime();
        Assert.Equal(0x99, test.Device.Bytes(5)[17]);
    }

    [Fact]
    public async Task A_close_can_be_cancelled_while_it_waits_for_a_pin()
    {
        await using TestCache test = await TestCache.OpenAsync(frameTimeout: Timeout.InfiniteTimeSpan);
        using CancellationTokenSource source = new();
        PagePin pin = test.Mapping.Pin(1);
        Task closing = test.Mapping.CloseAsync(source.Token).AsTask();
        await Task.Delay(20);
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => closing.InTime());
        test.Fill(1, 1);
        pin.Dispose();
    }

    [Fact]
    public async Task One_who_joins_a_close_is_bound_by_its_own_token_only()
    {
        await using TestCache test = await TestCache.OpenAsync(frameTimeout: Timeout.InfiniteTimeSpan);
        using CancellationTokenSource first = new();
        using CancellationTokenSource second = new();
        PagePin pin = test.Mapping.Pin(1);
        Task closing = test.Mapping.CloseAsync(first.Token).AsTask();
        Wait.Until(() => test.Mapping.State == MappingState.Closing, "the close to begin");
        Task impatient = test.Mapping.CloseAsync(second.Token).AsTask();
        Task patient = test.Mapping.CloseAsync().AsTask();

        second.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient.InTime());
        Assert.False(closing.IsCompleted);

        first.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => closing.InTime());
        Assert.False(patient.IsCompleted);
        pin.Dispose();
        await patient.InTime();
        Assert.Equal(MappingState.Closed, test.Mapping.State);
    }

    [Fact]
    public async Task A_second_disposal_waits_for_the_first()
    {
        TestCache test = await TestCache.OpenAsync(frameTimeout: Timeout.InfiniteTimeSpan);
        PagePin pin = test.Mapping.Pin(1);
        Task first = test.Cache.DisposeAsync().AsTask();
        Task second = test.Cache.DisposeAsync().AsTask();
        Assert.False(second.IsCompleted);
        pin.Dispose();
        await second.InTime();
        Assert.True(first.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task A_device_that_is_open_cannot_be_created()
    {
        await using TestCache test = await TestCache.OpenAsync();
        await Assert.ThrowsAsync<BlockIOException>(() =>
            test.Cache.OpenAsync(test.Device, new MappingOptions { Mode = MappingMode.CreateNew }).AsTask());
    }

    /// <summary>The head of a page that was truncated away under a pin lives as long as the pin, and so does its leaf.</summary>
    [Fact]
    public async Task A_close_with_a_pin_on_a_page_that_was_truncated_away_is_busy()
    {
        await using TestCache test = await TestCache.OpenAsync(frameTimeout: s_short);
        PagePin pin = test.Mapping.Pin(10);
        await test.Mapping.TruncateAsync(4096).InTime();
        await Assert.ThrowsAsync<MappingBusyException>(() => test.Mapping.CloseAsync().InTime());
        pin.Dispose();
        await test.Mapping.CloseAsync().InTime();
    }

    [Fact]
    public async Task Those_who_wait_for_a_page_of_a_closing_mapping_are_sent_away()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageWriteLease held = test.Mapping.Write(1);
        Task<PageReadLease> reader = test.Mapping.ReadAsync(1).AsTask();
        Task<PageWriteLease> blocked = Task.Factory.StartNew(() => test.Mapping.Write(1), TaskCreationOptions.LongRunning);
        test.WaitForWaiters(1, 2);
        Task closing = test.Mapping.CloseAsync().AsTask();
        await Assert.ThrowsAsync<MappingClosedException>(() => reader.InTime());
        await Assert.ThrowsAsync<MappingClosedException>(() => blocked.InTime());
        held.Dispose();
        await closing.InTime();
    }

    /// <summary>One who looked before the close began, and stands in line only after those there have been sent away (M-3).</summary>
    [Fact]
    public async Task One_who_comes_late_to_a_page_of_a_closing_mapping_is_sent_away()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageWriteLease held = test.Mapping.Write(1);
        LockList(test);
        Task reader = Task.Factory.StartNew(() => test.Mapping.Read(1).Dispose(), TaskCreationOptions.LongRunning);
        Wait.Until(() => test.Cache.Core.Waiters.InUse == 1, "the reader to have looked");
        Thread.Sleep(20);
        Task closing = Task.Factory.StartNew(() => test.Mapping.CloseAsync().AsTask(), TaskCreationOptions.LongRunning).Unwrap();

        // The close has come to wait for the page itself: those in line have been sent away.
        Wait.Until(() => test.Cache.Core.Waiters.InUse == 2, "the close to have passed");
        UnlockList(test);
        await Assert.ThrowsAsync<MappingClosedException>(() => reader.InTime());
        held.Dispose();
        await closing.InTime();

        static unsafe void LockList(TestCache test) => Buffers.StateWord.LockList(test.Mapping.Table.Find(1));

        static unsafe void UnlockList(TestCache test) => Buffers.StateWord.UnlockList(test.Mapping.Table.Find(1));
    }

    /// <summary>The flush that a close begins with has no more patience than the rest of it.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_close_is_busy_while_a_dirty_page_is_leased_for_writing(bool disposes)
    {
        TestCache test = await TestCache.OpenAsync(frameTimeout: s_short);
        test.Fill(3, 3);
        test.Fill(5, 5);
        PageWriteLease held = test.Mapping.Write(5);
        MappingBusyException error = disposes
            ? await Assert.ThrowsAsync<MappingBusyException>(() => test.Cache.DisposeAsync().InTime())
            : await Assert.ThrowsAsync<MappingBusyException>(() => test.Mapping.CloseAsync().InTime());
        Assert.Equal(5, error.Page);
        held.Span.Fill(6);
        held.MarkDirty();
        held.Dispose();
        if (!disposes)
        {
            Assert.Equal(MappingState.Open, test.Mapping.State);
            await test.Mapping.CloseAsync().InTime();
            Assert.Equal(6, test.Device.Bytes(5)[0]);
            await test.DisposeAsync();
        }

        Assert.Equal(3, test.Device.Bytes(3)[0]);
    }

    /// <summary>A flush or truncation waits for a lease without end; a close that has to wait for it does not.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_close_behind_a_flush_or_truncation_that_waits_for_a_lease_is_busy(bool truncates)
    {
        await using TestCache test = await TestCache.OpenAsync(frameTimeout: s_short);
        test.Fill(5, 5);
        PageWriteLease held = test.Mapping.Write(5);
        Task other = truncates ? test.Mapping.TruncateAsync(4096).AsTask() : test.Mapping.FlushAsync().AsTask();
        test.WaitForWaiters(5, 1);
        MappingBusyException error = await Assert.ThrowsAsync<MappingBusyException>(() => test.Mapping.CloseAsync().InTime());
        Assert.Equal(5, error.Page);
        Assert.Equal(MappingState.Open, test.Mapping.State);
        Assert.False(other.IsCompleted);
        held.Dispose();
        await other.InTime();
        await test.Mapping.CloseAsync().InTime();
        Assert.Equal(truncates ? 0 : 5, test.Device.Bytes(5)[0]);
    }

    /// <summary>Only the time counts for which a lease is waited for: a device may take longer to write than a lease may be held.</summary>
    [Fact]
    public async Task The_patience_of_a_close_is_for_leases_and_not_for_the_device()
    {
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(frameTimeout: TimeSpan.FromSeconds(10), time: time);
        test.Fill(1, 1);
        PageReadLease held = test.Mapping.Read(2);
        test.Device.Hold = call => call.Operation == StorageCache.IO.BlockOperation.Write;

        // A flush that takes its time, a close that waits for it, and then does its own writing.
        Task flush = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        Task closing = test.Mapping.CloseAsync().AsTask();
        time.Advance(TimeSpan.FromMinutes(1));
        test.Fill(3, 3);
        test.Device.ReleaseHeld();
        await flush.InTime();
        test.Device.WaitForHeld(1);
        time.Advance(TimeSpan.FromMinutes(1));
        test.Device.ReleaseAll();
        test.WaitForWaiters(2, 1);
        time.Advance(TimeSpan.FromSeconds(9));
        Assert.False(closing.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(2));
        MappingBusyException error = await Assert.ThrowsAsync<MappingBusyException>(() => closing.InTime());
        Assert.Equal(2, error.Page);
        held.Dispose();
        await test.Mapping.CloseAsync().InTime();
        Assert.Equal(3, test.Device.Bytes(3)[0]);
    }

    [Fact]
    public async Task A_load_that_fails_does_not_fail_the_close_behind_it()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Device.Hold = call => call.Operation == StorageCache.IO.BlockOperation.Read;
        test.Device.Fault = call => call.Operation == StorageCache.IO.BlockOperation.Read ? ScriptedDevice.Eio(call) : null;
        Task<PageReadLease> reader = test.Mapping.ReadAsync(10).AsTask();
        Task closing = test.Mapping.CloseAsync().AsTask();
        Wait.Until(() => reader.IsCompleted && test.WaitersOf(10) == 1, "the close to stand in line");
        test.Device.ReleaseAll();
        await Assert.ThrowsAsync<MappingClosedException>(() => reader.InTime());
        await closing.InTime();
    }

    /// <summary>The cache is ended without flushing while threads and tasks wait for latches, loads and frames.</summary>
    [Fact]
    public async Task Dispose_leaves_nobody_hanging()
    {
        ScriptedDevice device = new(400);
        PageCache cache = new(new PageCacheOptions { MemoryLimit = TestCache.Smallest });
        Mapping mapping = await cache.OpenAsync(device);
        List<PagePin> pins = [];
        while (mapping.Prefetch(pins.Count, 1) == 1)
        {
            pins.Add(mapping.Pin(pins.Count));
        }

        PageWriteLease held = mapping.Write(0);
        Task[] waiters =
        [
            mapping.ReadAsync(0).AsTask(),
            mapping.WriteAsync(0).AsTask(),
            mapping.ReadAsync(300).AsTask(),
            mapping.WriteNewAsync(301).AsTask(),
            Task.Factory.StartNew(() => mapping.Read(0).Dispose(), TaskCreationOptions.LongRunning),
            Task.Factory.StartNew(() => mapping.Read(302).Dispose(), TaskCreationOptions.LongRunning),
        ];
        Wait.Until(() => cache.Core.Waiters.InUse == 6, "all to wait");

        cache.Dispose();

        foreach (Task waiter in waiters)
        {
            await Assert.ThrowsAsync<CacheDisposedException>(() => waiter.InTime());
        }

        held.Dispose();
        pins.ForEach(pin => pin.Dispose());
    }

    [Fact]
    public async Task An_open_that_races_the_disposal_either_fails_or_is_closed()
    {
        for (int i = 0; i < 40; i++)
        {
            PageCache cache = new(new PageCacheOptions { MemoryLimit = TestCache.Smallest });
            using IO.ScratchDirectory directory = new();
            Task<Mapping> opening = Task.Run(() => cache.OpenAsync(directory.File("a")).AsTask());
            Thread.SpinWait(i * 500);
            await cache.DisposeAsync().InTime();
            try
            {
                Mapping mapping = await opening.InTime();
                Assert.Equal(MappingState.Closed, mapping.State);
                Assert.Throws<CacheDisposedException>(() => mapping.WriteNew(0));
            }
            catch (CacheDisposedException)
            {
            }
        }
    }
}
