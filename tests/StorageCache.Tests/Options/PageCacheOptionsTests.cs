using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Options;

public class PageCacheOptionsTests
{
    public static TheoryData<string, PageCacheOptions> OutOfRange => new()
    {
        { nameof(PageCacheOptions.PageSize), new() { MemoryLimit = 1 << 24, PageSize = 2048 } },
        { nameof(PageCacheOptions.PageSize), new() { MemoryLimit = 1 << 24, PageSize = 131072 } },
        { nameof(PageCacheOptions.PageSize), new() { MemoryLimit = 1 << 24, PageSize = 5000 } },
        { nameof(PageCacheOptions.PageSize), new() { MemoryLimit = 1 << 24, PageSize = int.MinValue } },
        { nameof(PageCacheOptions.MemoryLimit), new() { MemoryLimit = 0 } },
        { nameof(PageCacheOptions.MemoryLimit), new() { MemoryLimit = -1 } },
        { nameof(PageCacheOptions.MemoryLimit), new() { MemoryLimit = CacheCore.LeastMemory(4096) - 1 } },
        { nameof(PageCacheOptions.MemoryLimit), new() { MemoryLimit = CacheCore.LeastMemory(4096), PageSize = 8192 } },
        { nameof(PageCacheOptions.MaximumMemoryLimit), new() { MemoryLimit = 1 << 24, MaximumMemoryLimit = (1 << 24) - 1 } },
        { nameof(PageCacheOptions.MaximumMemoryLimit), new() { MemoryLimit = 1 << 24, MaximumMemoryLimit = -1 } },
        { nameof(PageCacheOptions.MaximumMemoryLimit), new() { MemoryLimit = 1 << 24, MaximumMemoryLimit = (1L << 41) + 1 } },
        { nameof(PageCacheOptions.MemoryLimit), new() { MemoryLimit = (1L << 41) + 1 } },
        { nameof(PageCacheOptions.IoEngine), new() { MemoryLimit = 1 << 24, IoEngine = (IoEngine)99 } },
        { nameof(PageCacheOptions.IoThreads), new() { MemoryLimit = 1 << 24, IoThreads = 0 } },
        { nameof(PageCacheOptions.IoThreads), new() { MemoryLimit = 1 << 24, IoThreads = 257 } },
        { nameof(PageCacheOptions.LatchTimeout), new() { MemoryLimit = 1 << 24, LatchTimeout = TimeSpan.Zero } },
        { nameof(PageCacheOptions.LatchTimeout), new() { MemoryLimit = 1 << 24, LatchTimeout = TimeSpan.FromMilliseconds(-2) } },
        { nameof(PageCacheOptions.LatchTimeout), new() { MemoryLimit = 1 << 24, LatchTimeout = TimeSpan.FromDays(25) } },
        { nameof(PageCacheOptions.FrameTimeout), new() { MemoryLimit = 1 << 24, FrameTimeout = TimeSpan.Zero } },
        { nameof(PageCacheOptions.FrameTimeout), new() { MemoryLimit = 1 << 24, FrameTimeout = TimeSpan.MaxValue } },
        { nameof(PageCacheOptions.StealLimit), new() { MemoryLimit = 1 << 24, StealLimit = -1 } },
        { nameof(PageCacheOptions.DirtyBackgroundRatio), new() { MemoryLimit = 1 << 24, DirtyBackgroundRatio = 0.009 } },
        { nameof(PageCacheOptions.DirtyBackgroundRatio), new() { MemoryLimit = 1 << 24, DirtyBackgroundRatio = 0.91, DirtyLimitRatio = 0.95 } },
        { nameof(PageCacheOptions.DirtyBackgroundRatio), new() { MemoryLimit = 1 << 24, DirtyBackgroundRatio = double.NaN } },
        { nameof(PageCacheOptions.DirtyLimitRatio), new() { MemoryLimit = 1 << 24, DirtyBackgroundRatio = 0.5, DirtyLimitRatio = 0.4 } },
        { nameof(PageCacheOptions.DirtyLimitRatio), new() { MemoryLimit = 1 << 24, DirtyLimitRatio = 0.96 } },
        { nameof(PageCacheOptions.DirtyLimitRatio), new() { MemoryLimit = 1 << 24, DirtyLimitRatio = double.NaN } },
        { nameof(PageCacheOptions.WriteBackDepth), new() { MemoryLimit = 1 << 24, WriteBackDepth = 0 } },
        { nameof(PageCacheOptions.WriteBackDepth), new() { MemoryLimit = 1 << 24, WriteBackDepth = 4097 } },
        { nameof(PageCacheOptions.WriteBackInterval), new() { MemoryLimit = 1 << 24, WriteBackInterval = TimeSpan.FromMicroseconds(999) } },
        { nameof(PageCacheOptions.WriteBackInterval), new() { MemoryLimit = 1 << 24, WriteBackInterval = TimeSpan.FromMinutes(61) } },
    };

    [Theory]
    [MemberData(nameof(OutOfRange), DisableDiscoveryEnumeration = true)]
    public void An_option_out_of_range_is_refused_by_name_value_and_range(string option, PageCacheOptions options)
    {
        ArgumentOutOfRangeException refusal = Assert.Throws<ArgumentOutOfRangeException>(() => new PageCache(options));

        Assert.Equal($"options.{option}", refusal.ParamName);
        Assert.Contains(option, refusal.Message, StringComparison.Ordinal);
        Assert.Contains($" is {string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{refusal.ActualValue}")};", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("allowed: ", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_options_and_no_clock_are_refused()
    {
        Assert.Throws<ArgumentNullException>(() => new PageCache(null!));
        Assert.Throws<ArgumentNullException>(() => new PageCache(new PageCacheOptions { MemoryLimit = 1 << 24, TimeProvider = null! }));
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(8192)]
    [InlineData(16384)]
    [InlineData(65536)]
    public async Task Every_page_size_works_at_the_least_limit(int pageSize)
    {
        MemoryBlockDevice device = new("memory");
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = CacheCore.LeastMemory(pageSize), PageSize = pageSize });
        Mapping mapping = await cache.OpenAsync(device);
        for (int page = 0; page < 200; page++)
        {
            using PageWriteLease lease = await mapping.WriteNewAsync(page).InTime();
            lease.Span.Fill((byte)page);
            lease.MarkDirty();
        }

        for (int page = 0; page < 200; page++)
        {
            using PageReadLease lease = await mapping.ReadAsync(page).InTime();
            Assert.Equal((byte)page, lease.Span[pageSize - 1]);
        }

        Assert.True(cache.GetStatistics().FrameCapacity >= 60);
        Assert.True(cache.GetStatistics().MemoryUsed <= cache.MemoryLimit);
    }

    [Fact]
    public async Task Resize_refuses_what_is_out_of_range_and_names_it()
    {
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 4 << 20, MaximumMemoryLimit = 8 << 20 });
        foreach (long limit in new[] { long.MinValue, 0, CacheCore.LeastMemory(4096) - 1, (8 << 20) + 1, long.MaxValue })
        {
            ArgumentOutOfRangeException refusal = await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => cache.ResizeAsync(limit).AsTask());
            Assert.Contains($"{limit}", refusal.Message, StringComparison.Ordinal);
            Assert.Contains("8388608", refusal.Message, StringComparison.Ordinal);
        }

        Assert.Equal(4 << 20, cache.MemoryLimit);
        await cache.ResizeAsync(CacheCore.LeastMemory(4096)).InTime();
        await cache.ResizeAsync(8 << 20).InTime();
        Assert.Equal(8 << 20, cache.MemoryLimit);
    }

    /// <remarks>F-1.</remarks>
    [Fact]
    public async Task Shrinking_evicts_until_the_limit_is_kept_and_growing_makes_room()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1500, memory: 8 << 20);
        for (int page = 0; page < 1500; page++)
        {
            test.Mapping.Read(page).Dispose();
        }

        test.Fill(7, 7);
        await test.Cache.ResizeAsync(TestCache.Smallest).InTime();
        Assert.InRange(test.Cache.GetStatistics().MemoryUsed, 0, TestCache.Smallest);
        test.AssertSound();

        await test.Cache.ResizeAsync(8 << 20).InTime();
        for (int page = 0; page < 1500; page++)
        {
            test.Mapping.Read(page).Dispose();
        }

        Assert.True(test.Mapping.ResidentPages > 1000);
        Assert.Equal(7, test.ByteOf(7));
    }

    [Fact]
    public async Task A_limit_that_pins_stand_in_the_way_of_is_taken_back()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 500, frameTimeout: TimeSpan.FromMilliseconds(50));
        PagePin[] pins = [.. Enumerable.Range(0, 300).Select(page => test.Mapping.Pin(page))];

        await Assert.ThrowsAsync<CacheFullException>(() => test.Cache.ResizeAsync(TestCache.Smallest).InTime());

        Assert.Equal(4 << 20, test.Cache.MemoryLimit);
        foreach (PagePin pin in pins)
        {
            pin.Dispose();
        }

        // The patience is short, and the machine may be slow.
        Wait.Until(() => TryResize(test.Cache, TestCache.Smallest), "the limit to be lowered");
    }

    private static bool TryResize(PageCache cache, long limit)
    {
        try
        {
            cache.ResizeAsync(limit).AsTask().GetAwaiter().GetResult();
            return true;
        }
        catch (CacheFullException)
        {
            return false;
        }
    }
}
