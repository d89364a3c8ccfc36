using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.ReadAhead;

/// <summary>RA-5: a scan goes round in a few frames of its own.</summary>
public sealed class ScanTests
{
    private const int ScanPages = 40_000;
    private const int HotPages = 400;
    private const long HotFrom = ScanPages + 1000;

    [Theory]
    [InlineData(AccessPattern.Normal)]
    [InlineData(AccessPattern.Sequential)]
    public async Task A_large_scan_through_a_small_cache_leaves_the_hot_set_where_it_is(AccessPattern pattern)
    {
        await using TestCache test = await OpenAsync();
        Warm(test);
        test.Mapping.AccessPattern = pattern;
        for (long page = 0; page < ScanPages; page++)
        {
            test.Mapping.Read(page).Dispose();
        }

        AssertHotSetIsThere(test);
    }

    [Fact]
    public async Task A_backward_scan_leaves_the_hot_set_where_it_is()
    {
        await using TestCache test = await OpenAsync();
        Warm(test);
        test.Mapping.AccessPattern = AccessPattern.Normal;
        for (long page = ScanPages - 1; page >= 0; page--)
        {
            test.Mapping.Read(page).Dispose();
        }

        AssertHotSetIsThere(test);
    }

    [Fact]
    public async Task A_read_stream_that_scans_leaves_the_hot_set_where_it_is()
    {
        await using TestCache test = await OpenAsync();
        Warm(test);
        Random random = new(3);
        long[] pages = [.. Enumerable.Range(0, ScanPages).Select(page => (long)page)];
        random.Shuffle(pages);
        using PageReadStream stream = test.Mapping.OpenReadStream(pages, new PageReadStreamOptions { Scan = true });
        while (stream.MoveNext())
        {
        }

        AssertHotSetIsThere(test);
    }

    [Fact]
    public async Task A_scan_that_comes_again_and_again_is_a_scan_still()
    {
        await using TestCache test = await OpenAsync();
        Warm(test);
        test.Mapping.AccessPattern = AccessPattern.Normal;
        for (int round = 0; round < 5; round++)
        {
            for (long page = 0; page < 5000; page++)
            {
                test.Mapping.Read(page).Dispose();
            }
        }

        AssertHotSetIsThere(test);
    }

    [Fact]
    public async Task A_scan_that_the_cache_has_room_for_stays_in_it()
    {
        const int Pages = 1500;
        await using TestCache test = await TestCache.OpenAsync(pages: Pages, memory: 8 << 20, pattern: AccessPattern.Normal);
        Assert.InRange(test.Frames, Pages * 5 / 4, Pages * 3 / 2);
        for (int round = 0; round < 3; round++)
        {
            for (long page = 0; page < Pages; page++)
            {
                test.Mapping.Read(page).Dispose();
            }
        }

        Assert.Equal(Pages, test.Mapping.ResidentPages);
        Assert.Equal(Pages, test.Device.ReadCalls.Sum(call => call.Segments));
    }

    [Fact]
    public async Task A_scan_that_fills_the_room_gives_up_what_it_has_kept()
    {
        await using TestCache test = await OpenAsync();
        test.Mapping.AccessPattern = AccessPattern.Normal;
        for (long page = 0; page < 20_000; page++)
        {
            test.Mapping.Read(page).Dispose();
        }

        // What it gives up leaves no shadow entry, as what the clock evicts does: read again, it is no refault.
        Assert.False(test.IsResident(100));
        test.Mapping.AccessPattern = AccessPattern.Random;
        for (long page = 0; page < 15_000; page += 100)
        {
            test.Mapping.Read(page).Dispose();
        }

        Assert.Equal(0, test.Cache.GetStatistics().Refaults);
    }

    [Fact]
    public async Task Pages_that_somebody_else_uses_are_not_given_up_by_the_scan_that_passes_them()
    {
        await using TestCache test = await OpenAsync();
        test.Mapping.AccessPattern = AccessPattern.Sequential;
        List<PagePin> pins = [];
        for (long page = 0; page < 3000; page++)
        {
            test.Mapping.Read(page).Dispose();
            if (page % 100 == 50)
            {
                pins.Add(test.Mapping.Pin(page));
            }

            if (page % 100 == 60)
            {
                test.Fill(page, (byte)(page / 100));
            }
        }

        Assert.All(pins, pin => pin.Dispose());
        for (long page = 60; page < 2000; page += 100)
        {
            Assert.True(test.IsResident(page - 10), $"page {page - 10} is gone under its pin");
            Assert.Equal((byte)(page / 100), test.ByteOf(page));
        }

        Assert.False(test.IsResident(100));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(10)]
    public async Task A_scan_has_four_windows_at_most(int stride)
    {
        await using TestCache test = await OpenAsync();
        test.Mapping.AccessPattern = AccessPattern.Sequential;
        int window = test.Cache.Core.ReadAheadLimits.Window;
        for (long page = 0; page < ScanPages; page += stride)
        {
            test.Mapping.Read(page).Dispose();

            // With gaps, the page with the mark may be none that is read: the page that is missed behind the windows has a place too.
            Assert.InRange(test.Mapping.ResidentPages, 1, (4 * window) + 1 + (ScanPages / window));
        }

        // A window in one request, and a page by itself where the reader has come to the end of what was read ahead.
        Assert.InRange(test.Device.Reads, ScanPages / window, (2 * ScanPages / window) + 4);
    }

    private static Task<TestCache> OpenAsync() => TestCache.OpenAsync(pages: HotFrom + HotPages, memory: 8 << 20);

    private static void Warm(TestCache test)
    {
        // Used again after the hand has seen it: hot.
        for (int round = 0; round < 3; round++)
        {
            for (long page = HotFrom; page < HotFrom + HotPages; page++)
            {
                test.Mapping.Read(page).Dispose();
            }
        }
    }

    private static void AssertHotSetIsThere(TestCache test)
    {
        int resident = Enumerable.Range(0, HotPages).Count(page => test.IsResident(HotFrom + page));
        Assert.InRange(resident, HotPages * 99 / 100, HotPages);
    }
}
