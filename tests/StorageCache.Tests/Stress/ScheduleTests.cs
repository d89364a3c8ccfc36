using StorageCache.IO;
using Xunit;

namespace StorageCache.Tests.Stress;

/// <summary>Schedules that once lost data or hung, each forced to happen.</summary>
public sealed class ScheduleTests
{
    private const int PageSize = 4096;

    private readonly HookedDevice _device = new();

    [Fact]
    public async Task A_page_loaded_while_a_truncation_waits_is_whole_after_the_truncation_was_cancelled()
    {
        _device.Inner.Write(0, Filled(6 * PageSize));
        await using PageCache cache = MakeCache();
        Mapping mapping = await cache.OpenAsync(_device);
        using PageReadLease held = await mapping.ReadAsync(5);
        using var source = new CancellationTokenSource();
        Task truncation = mapping.TruncateAsync((2 * PageSize) + 100, source.Token).AsTask();
        await UntilAsync(() => mapping.Length < 3 * PageSize);

        using (PageReadLease loadedMeanwhile = await mapping.ReadAsync(2))
        {
        }

        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => truncation);
        using PageReadLease lease = await mapping.ReadAsync(2);
        Assert.Equal(-1, lease.Span.IndexOfAnyExcept((byte)7));
    }

    [Fact]
    public async Task A_page_written_back_while_a_truncation_waits_is_whole_after_the_truncation_was_cancelled()
    {
        _device.Inner.Write(0, new byte[6 * PageSize]);
        await using PageCache cache = MakeCache(TimeSpan.FromMilliseconds(1));
        Mapping mapping = await cache.OpenAsync(_device);
        using PageReadLease held = await mapping.ReadAsync(5);
        using var source = new CancellationTokenSource();
        Task truncation = mapping.TruncateAsync((2 * PageSize) + 100, source.Token).AsTask();
        await UntilAsync(() => mapping.Length < 3 * PageSize);
        using (PageWriteLease lease = await mapping.WriteAsync(2))
        {
            lease.Span.Fill(7);
            lease.MarkDirty();
        }

        await UntilAsync(() => mapping.DirtyPages == 0);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => truncation);
        await mapping.FlushAsync();
        Assert.Equal(-1, Read(2).IndexOfAnyExcept((byte)7));
    }

    [Fact]
    public async Task A_page_asked_for_anew_by_one_who_gives_up_keeps_its_content()
    {
        _device.Inner.Write(0, Filled(500 * PageSize));
        await using PageCache cache = MakeCache();
        Mapping mapping = await cache.OpenAsync(_device, new MappingOptions { AccessPattern = AccessPattern.Random });

        // Every frame is pinned, so the new page has to wait for one.
        List<PagePin> pins = [];
        for (long page = 1; cache.Core.Frames.Available > cache.Core.Frames.Reserve; page++)
        {
            pins.Add(await mapping.PinAsync(page));
        }

        using var source = new CancellationTokenSource();
        Task<PageWriteLease> pending = mapping.WriteNewAsync(0, source.Token).AsTask();
        Assert.False(pending.IsCompleted);
        Task<PageReadLease> reading = mapping.ReadAsync(0).AsTask();
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pending);
        pins.ForEach(pin => pin.Dispose());
        using PageReadLease lease = await reading;
        Assert.Equal(-1, lease.Span.IndexOfAnyExcept((byte)7));
    }

    [Fact]
    public async Task A_page_written_beyond_the_end_that_a_flush_gives_the_device_is_not_cut_off()
    {
        await using PageCache cache = MakeCache(TimeSpan.FromMilliseconds(1));
        Mapping mapping = await cache.OpenAsync(_device);
        var gate = new TaskCompletionSource();
        var reached = new TaskCompletionSource();
        _device.BeforeSetLength = () =>
        {
            reached.TrySetResult();
            return gate.Task;
        };
        await mapping.ExtendAsync(10 * PageSize);
        Task first = mapping.FlushAsync().AsTask();
        await reached.Task;
        using (PageWriteLease lease = await mapping.WriteNewAsync(50))
        {
            lease.Span.Fill(7);
            lease.MarkDirty();
        }

        Task second = mapping.FlushAsync().AsTask();
        await Task.Delay(100);
        gate.SetResult();
        await first;
        await second;
        Assert.Equal(51 * PageSize, _device.Length);
        Assert.Equal(-1, Read(50).IndexOfAnyExcept((byte)7));
    }

    [Fact]
    public async Task A_flush_waits_for_the_parts_of_a_run_that_failed_as_a_whole()
    {
        await using PageCache cache = MakeCache();
        Mapping mapping = await cache.OpenAsync(_device);
        var gate = new TaskCompletionSource<bool>();
        var runFails = new TaskCompletionSource<bool>();
        _device.BeforeTransfer = request => request.ByteCount > PageSize ? runFails.Task : gate.Task;
        for (int page = 0; page < 4; page++)
        {
            using PageWriteLease lease = await mapping.WriteNewAsync(page);
            lease.Span.Fill(7);
            lease.MarkDirty();
        }

        Task flush = mapping.FlushAsync().AsTask();
        runFails.SetResult(false);
        await Task.Delay(100);
        Assert.False(flush.IsCompleted);
        gate.SetResult(false);
        await Assert.ThrowsAsync<PageWriteException>(() => flush);
        _device.BeforeTransfer = static _ => Task.FromResult(true);
        await mapping.FlushAsync();
        Assert.Equal(-1, Read(3).IndexOfAnyExcept((byte)7));
    }

    [Fact]
    public async Task A_pin_of_a_page_that_was_truncated_away_makes_a_close_give_up_and_not_hang()
    {
        _device.Inner.Write(0, Filled(6 * PageSize));
        await using PageCache cache = MakeCache(frameTimeout: TimeSpan.FromMilliseconds(200));
        Mapping mapping = await cache.OpenAsync(_device);
        PagePin pin = await mapping.PinAsync(3);
        await mapping.TruncateAsync(0);
        await Assert.ThrowsAsync<MappingBusyException>(() => mapping.CloseAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10)));
        pin.Dispose();
        await mapping.CloseAsync();
        Assert.Equal(MappingState.Closed, mapping.State);
    }

    [Fact]
    public async Task One_who_waits_for_a_truncation_to_end_does_not_stand_in_its_way()
    {
        _device.Inner.Write(0, Filled(6 * PageSize));
        await using PageCache cache = MakeCache();
        Mapping mapping = await cache.OpenAsync(_device);

        // Both stand in line for page 5, the writer first; told that the page is free, the writer finds it beyond the end.
        PageWriteLease held = await mapping.WriteAsync(5);
        Task<PageWriteLease> pending = mapping.WriteNewAsync(5).AsTask();
        Task truncation = mapping.TruncateAsync(2 * PageSize).AsTask();
        await UntilAsync(() => mapping.Length == 2 * PageSize && cache.Core.Waiters.InUse == 2);
        held.Dispose();
        await truncation.WaitAsync(TimeSpan.FromSeconds(10));
        using PageWriteLease lease = await pending.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(6 * PageSize, mapping.Length);
        Assert.False(lease.Span.ContainsAnyExcept((byte)0));
    }

    [Fact]
    public async Task Trying_the_partial_last_page_anew_leaves_the_length_alone()
    {
        _device.Inner.Write(0, Filled((3 * PageSize) + 10));
        await using PageCache cache = MakeCache();
        Mapping mapping = await cache.OpenAsync(_device);
        Assert.True(mapping.TryWriteNew(3, out PageWriteLease lease));
        lease.Dispose();
        Assert.Equal((3 * PageSize) + 10, mapping.Length);
    }

    private static byte[] Filled(int bytes)
    {
        byte[] filled = new byte[bytes];
        filled.AsSpan().Fill(7);
        return filled;
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (int i = 0; !condition(); i++)
        {
            Assert.True(i < 2000, "what was waited for did not come");
            await Task.Delay(5);
        }
    }

    private static PageCache MakeCache(TimeSpan? writeBackInterval = null, TimeSpan? frameTimeout = null) => new(new PageCacheOptions
    {
        PageSize = PageSize,
        MemoryLimit = CacheCore.LeastMemory(PageSize),
        MaximumMemoryLimit = CacheCore.LeastMemory(PageSize),
        WriteBackInterval = writeBackInterval ?? TimeSpan.FromHours(1),
        FrameTimeout = frameTimeout ?? TimeSpan.FromSeconds(20),
    });

    private byte[] Read(long page)
    {
        byte[] bytes = new byte[PageSize];
        Assert.Equal(PageSize, _device.Inner.Read(page * PageSize, bytes));
        return bytes;
    }
}
