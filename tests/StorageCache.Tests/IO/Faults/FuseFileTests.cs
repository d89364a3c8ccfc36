using StorageCache.IO;
using StorageCache.Platform;
using StorageCache.Tests.Harness;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.IO.Faults;

/// <summary>A device that answers in its own time, or with an error for a page of its choice, through the kernel and each engine.</summary>
public sealed class FuseFileTests
{
    private const int Page = 4096;

    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public async Task Pages_come_and_go_through_the_kernel(IoEngine engine)
    {
        using FuseFile file = FuseFile.Create(200);
        await using PageCache cache = NewCache(engine);
        Mapping mapping = await cache.OpenAsync(file.Path);
        Assert.True(mapping.IsDirect);
        for (int page = 0; page < 200; page++)
        {
            using PageWriteLease lease = await mapping.WriteAsync(page).InTime();
            Assert.True(lease.Span.IndexOfAnyExcept(FuseFile.ByteOf(page)) < 0, $"page {page}");
            lease.Span.Fill(0x77);
            lease.MarkDirty();
        }

        await mapping.CloseAsync().InTime();
        Assert.All(Enumerable.Range(0, 200), page => Assert.True(file.Page(page).AsSpan().IndexOfAnyExcept((byte)0x77) < 0));
    }

    /// <summary>A run of which one page cannot be written, by a device that says EIO.</summary>
    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public async Task Only_the_pages_that_the_device_cannot_write_stay_dirty(IoEngine engine)
    {
        using FuseFile file = FuseFile.Create(60);
        await using PageCache cache = NewCache(engine);
        Mapping mapping = await cache.OpenAsync(file.Path);
        for (int page = 10; page < 30; page++)
        {
            using PageWriteLease lease = mapping.Write(page);
            lease.Span.Fill(0xe0);
            lease.MarkDirty();
        }

        file.Fault = call => call.Operation == BlockOperation.Write && Covers(call, 17) ? Errno.EIO : 0;
        PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => mapping.FlushAsync().InTime());
        Assert.Equal(17, error.Page);
        Assert.Equal(Errno.EIO, error.HResult);
        Assert.Equal(1, cache.GetStatistics().DirtyPages);
        Assert.True(mapping.IsDirty(17));
        using (PageReadLease lease = mapping.Read(17))
        {
            Assert.Equal(0xe0, lease.Span[0]);
        }

        file.Fault = null;
        await mapping.FlushAsync().InTime();
        await mapping.CloseAsync().InTime();
        Assert.All(Enumerable.Range(10, 20), page => Assert.True(file.Page(page).AsSpan().IndexOfAnyExcept((byte)0xe0) < 0));
    }

    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public async Task A_sync_that_the_device_fails_is_final(IoEngine engine)
    {
        using FuseFile file = FuseFile.Create(10);
        await using PageCache cache = NewCache(engine);
        Mapping mapping = await cache.OpenAsync(file.Path);
        using (PageWriteLease lease = mapping.Write(3))
        {
            lease.Span.Fill(0xe0);
            lease.MarkDirty();
        }

        file.Fault = call => call.Operation == BlockOperation.Flush ? Errno.EIO : 0;
        FlushFailedException error = await Assert.ThrowsAsync<FlushFailedException>(() => mapping.FlushAsync().InTime());
        Assert.Equal(Errno.EIO, error.HResult);
        file.Fault = null;
        await Assert.ThrowsAsync<MappingFailedException>(() => mapping.FlushAsync().InTime());
        Assert.True(mapping.IsDirty(3));
        await mapping.CloseAsync().InTime();
    }

    /// <summary>
    /// The end of a cache waits for the transfers that the kernel has, and gives no memory back before: none of them can write into
    /// memory, or go through a descriptor, that is another's by then (I/O-12).
    /// </summary>
    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public async Task A_cache_that_is_disposed_of_waits_for_what_is_in_flight(IoEngine engine)
    {
        using FuseFile file = FuseFile.Create(200);
        PageCache cache = NewCache(engine);
        Mapping mapping = await cache.OpenAsync(file.Path);
        file.Hold = call => call.Operation == BlockOperation.Read;

        // Opening has tried whether direct reads are refused.
        int reads = file.Reads + 24;
        using CancellationTokenSource source = new();
        Task<PageReadLease>[] cancelled = [.. Enumerable.Range(0, 20).Select(i => mapping.ReadAsync(i * 3, source.Token).AsTask())];
        Task<PageReadLease>[] closed = [.. Enumerable.Range(0, 4).Select(i => mapping.ReadAsync(100 + i).AsTask())];
        file.WaitForHeld(engine == IoEngine.Threads ? 4 : 24);
        await source.CancelAsync();
        foreach (Task<PageReadLease> reader in cancelled)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reader.InTime());
        }

        Task disposal = cache.DisposeAsync().AsTask();
        foreach (Task<PageReadLease> reader in closed)
        {
            await Assert.ThrowsAsync<CacheDisposedException>(() => reader.InTime());
        }

        // Threads have four of them at a time.
        while (file.Reads < reads)
        {
            if (file.Held > 0)
            {
                Assert.False(disposal.IsCompleted);
                Assert.True(file.IsOpen);
                file.Release();
            }

            await Task.Yield();
        }

        await disposal.InTime();
        Assert.Equal(reads, file.Reads);
        Wait.Until(() => !file.IsOpen, "the kernel to let go of the file");
        AssertDiscarded(cache);
    }

    /// <summary>Disposed of without waiting, or with leases that are never returned, a cache leaves the memory where it is.</summary>
    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public async Task A_cache_that_loses_patience_leaves_memory_to_what_is_in_flight(IoEngine engine)
    {
        using FuseFile file = FuseFile.Create(20);
        PageCache cache = NewCache(engine, frameTimeout: TimeSpan.FromMilliseconds(20));
        Mapping mapping = await cache.OpenAsync(file.Path);
        file.Hold = call => call.Operation == BlockOperation.Read && call.Offset < 8 * Page;
        Assert.Equal(8, mapping.Prefetch(0, 8));
        file.WaitForHeld(1);
        Task disposal = cache.DisposeAsync().AsTask();

        // The mapping cannot be closed in so short a time; the engine, which takes nothing more, still waits for its requests.
        Wait.Until(() => IsRefused(mapping.Device), "the cache to give up");
        Assert.False(disposal.IsCompleted);
        file.ReleaseAll();
        await Assert.ThrowsAsync<MappingBusyException>(() => disposal.InTime());
        Assert.Equal(0, cache.Core.Loads.InUse);
    }

    private static bool IsRefused(IBlockDevice device)
    {
        using TestRequest request = TestRequest.Read(10 * Page, 1).SubmitTo(device);
        return request.Error is BlockIOException { Errno: Errno.ECANCELED };
    }

    private static bool Covers(FuseCall call, int page) => call.Offset <= page * Page && call.Offset + call.Length > page * Page;

    private static PageCache NewCache(IoEngine engine, TimeSpan? frameTimeout = null) => new(new PageCacheOptions
    {
        MemoryLimit = CacheCore.LeastMemory(Page),
        IoEngine = engine,
        IoThreads = 4,
        FrameTimeout = frameTimeout ?? TimeSpan.FromSeconds(60),

        // Write-back by the test alone.
        WriteBackInterval = TimeSpan.FromHours(1),
        DirtyBackgroundRatio = 0.9,
        DirtyLimitRatio = 0.95,
    });

    /// <summary>The memory was given back, and nothing has written into it since.</summary>
    private static unsafe void AssertDiscarded(PageCache cache)
    {
        for (uint frame = 1; frame <= cache.Core.Frames.HighWater; frame++)
        {
            Assert.True(new Span<byte>(cache.Core.Frames.Address(frame), Page).IndexOfAnyExcept((byte)0) < 0, $"frame {frame}");
        }
    }
}
