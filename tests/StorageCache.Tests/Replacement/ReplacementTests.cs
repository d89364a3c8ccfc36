using StorageCache.Buffers;
using StorageCache.Replacement;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Replacement;

public class ReplacementTests
{
    [Theory]
    [InlineData(0, true, 0)]
    [InlineData(StateWord.Referenced, false, StateWord.Hot)]
    [InlineData(StateWord.Hot, false, 0)]
    [InlineData(StateWord.Referenced | StateWord.Hot, false, StateWord.Hot)]
    public void The_clock_ages_a_page_one_step_a_round(ulong reference, bool evict, ulong next)
    {
        Assert.Equal(evict, default(TwoBitClock).ShouldEvict(reference, out ulong after));
        Assert.Equal(next, after);
    }

    [Theory]
    [InlineData(0, StateWord.Hot)]
    [InlineData(100, StateWord.Hot)]
    [InlineData(101, 0)]
    [InlineData(uint.MaxValue, 0)]
    public void A_page_that_was_evicted_shortly_before_comes_in_hot(uint distance, ulong reference) =>
        Assert.Equal(reference, default(TwoBitClock).AfterRefault(distance, 100));

    [Fact]
    public async Task A_hot_set_survives_a_scan_of_ten_times_the_cache()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 20_000, memory: 2 << 20);
        test.Device.Records = false;
        int frames = test.Frames;
        int hot = frames / 4;
        for (int round = 0; round < 4; round++)
        {
            for (int page = 0; page < hot; page++)
            {
                test.Mapping.Read(page).Dispose();
            }
        }

        long before = test.Device.Reads;
        int scanned = 0;
        for (int page = hot; scanned < frames * 10; page++, scanned++)
        {
            test.Mapping.Read(page).Dispose();
            if (scanned % 4 == 0)
            {
                test.Mapping.Read(scanned / 4 % hot).Dispose();
            }
        }

        long rereads = test.Device.Reads - before - scanned;
        TestContext.Current.TestOutputHelper!.WriteLine($"{rereads} re-reads of {hot} hot pages in a scan of {scanned} through {frames} frames");
        Assert.InRange(rereads, 0, hot / 10);
    }

    [Fact]
    public async Task A_page_that_is_wanted_again_soon_after_its_eviction_counts_as_a_refault()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 2000, memory: TestCache.Smallest);
        test.Mapping.Read(1).Dispose();
        test.Evict(1);
        test.Mapping.Read(1).Dispose();
        Assert.Equal(1, test.Cache.GetStatistics().Refaults);
        Assert.True(IsHot(1));

        test.Evict(1);
        for (int page = 500; page < 500 + (3 * test.Frames); page++)
        {
            test.Mapping.Read(page).Dispose();
        }

        test.Mapping.Read(1).Dispose();
        Assert.Equal(1, test.Cache.GetStatistics().Refaults);
        Assert.False(IsHot(1));

        unsafe bool IsHot(long page) => (StateWord.Load(test.Mapping.Table.Find(page)) & StateWord.Hot) != 0;
    }

    /// <remarks>F-7.</remarks>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Pages_that_come_in_one_after_the_other_lie_together(bool areNew)
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 8000, memory: 8 << 20);
        test.Device.Records = false;
        int frames = test.Frames;
        long together = 0;
        uint last = 0;
        for (int page = 0; page < 3 * frames; page++)
        {
            uint frame = Visit(page);
            together += page >= frames && frame == last + 1 ? 1 : 0;
            last = frame;
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{together} of {2 * frames} lie behind the one before");
        Assert.InRange(together, 2 * frames * 3 / 4, 2 * frames);

        uint Visit(long page)
        {
            if (areNew)
            {
                using PageWriteLease lease = test.Mapping.WriteNew(page);
                return FrameOf(page);
            }

            using PageReadLease read = test.Mapping.Read(page);
            return FrameOf(page);
        }

        unsafe uint FrameOf(long page) => test.Mapping.Table.Find(page)->Frame;
    }

    [Fact]
    public async Task Eviction_keeps_ahead_of_a_reader_who_takes_his_time()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 4000, memory: 2 << 20);
        test.Device.Records = false;
        for (int page = 0; page < 3000; page++)
        {
            test.Mapping.Read(page).Dispose();
            if (page % 8 == 0)
            {
                Wait.Until(() => test.Cache.Core.Frames.Available > test.Cache.Core.Frames.Reserve, "a free frame");
            }
        }

        PageCacheStatistics statistics = test.Cache.GetStatistics();
        Assert.True(statistics.Evictions > 2000);
        Assert.InRange(statistics.FrameWaits, 0, 30);
    }

    [Fact]
    public async Task Eviction_takes_no_more_pages_than_it_needs()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 2000, memory: TestCache.Smallest);
        long least = long.MaxValue;
        for (int page = 0; page < 2000; page++)
        {
            test.Mapping.Read(page).Dispose();
            least = page < test.Frames ? least : Math.Min(least, test.Mapping.ResidentPages);
        }

        // Two sweepers take a step of the clock each, and the watermark is six frames.
        Assert.InRange(least, test.Frames - 40, test.Frames);
    }

    [Fact]
    public async Task An_optimistic_read_keeps_its_page_in()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 2000, memory: TestCache.Smallest);
        test.Mapping.Read(1).Dispose();
        for (int page = 100; page < 700; page++)
        {
            test.Mapping.Read(page).Dispose();
            _ = test.Mapping.ReadOptimistic(1);
        }

        Assert.InRange(test.Device.ReadCalls.Count(call => call.Page == 1), 1, 5);
    }
}
