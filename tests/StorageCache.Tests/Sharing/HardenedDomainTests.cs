using System.Diagnostics;
using StorageCache.IO;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Sharing;

/// <summary>What a writer can tell from a first write: SH-9. Paths are counted and asserted; times are reported.</summary>
public sealed class HardenedDomainTests
{
    private const int PageSize = 4096;
    private const int Pages = 1_000;
    private const int Rounds = 100;

    [Fact]
    public async Task Of_100_000_first_writes_each_copies_whether_or_not_its_frame_was_shared()
    {
        (double accuracy, PageCacheStatistics statistics) = await MeasureAsync(isHardened: true, Rounds);
        Assert.Equal(Pages * Rounds, statistics.BreaksOf(ProtectionReason.Sharing));
        Assert.Equal(0, statistics.ProtectionsLifted);
        Report("hardened", Rounds, accuracy);
    }

    [Fact]
    public async Task Elsewhere_only_writes_to_shared_frames_copy_which_is_what_there_is_to_be_told()
    {
        (double accuracy, PageCacheStatistics statistics) = await MeasureAsync(isHardened: false, rounds: 10);
        Assert.Equal(Pages * 10 / 2, statistics.BreaksOf(ProtectionReason.Sharing));
        Assert.Equal(Pages * 10 / 2, statistics.ProtectionsLifted);
        Report("not hardened", 10, accuracy);
    }

    [Fact]
    public async Task A_page_that_was_held_copies_at_its_first_write_all_the_same()
    {
        SharingDomain domain = new("held") { SharesContent = true, IsHardened = true };
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 4 << 20, ScanPagesPerSecond = 0 });
        Mapping mapping = await cache.OpenAsync(Device(0), new MappingOptions { SharingDomain = domain, AccessPattern = AccessPattern.Random });
        Mapping alone = await cache.OpenAsync(
            new MemoryBlockDevice("alone", PageSize),
            new MappingOptions { SharingDomain = new SharingDomain("alone") { SharesExtents = false, IsHardened = true } });
        foreach (Mapping each in new[] { mapping, alone })
        {
            each.Protect(0, ProtectionReason.Snapshot).Dispose();
            each.Write(0).Dispose();
        }

        Assert.Equal(2, cache.GetStatistics().BreaksOf(ProtectionReason.Sharing));
    }

    private static void Report(string domain, int rounds, double area) => TestContext.Current.TestOutputHelper!.WriteLine(
        $"{domain}: of {Pages * rounds} first writes, a shared frame's took longer than an unshared one's with probability {area:F3} (0.5: nothing can be told)");

    /// <summary>
    /// Times first writes of a mapping half of whose pages are another mapping's as well. Returns the area under the curve of the test that
    /// tells the halves apart by time (Mann and Whitney's statistic).
    /// </summary>
    private static async Task<(double Area, PageCacheStatistics Statistics)> MeasureAsync(bool isHardened, int rounds)
    {
        SharingDomain domain = new("measured") { SharesContent = true, IsHardened = isHardened };
        MappingOptions options = new() { SharingDomain = domain, AccessPattern = AccessPattern.Random };
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 64 << 20, WriteBackInterval = TimeSpan.FromHours(1), ScanPagesPerSecond = 0 });
        Mapping mine = await cache.OpenAsync(Device(0), options);
        Mapping others = await cache.OpenAsync(Device(1), options);
        int[] order = [.. Enumerable.Range(0, Pages)];
        Random random = new(1);
        List<(long Ticks, bool IsShared)> times = [];
        ReadAll(others);
        for (int round = 0; round < rounds; round++)
        {
            ReadAll(mine);
            random.Shuffle(order);
            foreach (int page in order)
            {
                long began = Stopwatch.GetTimestamp();
                mine.Write(page).Dispose();
                times.Add((Stopwatch.GetTimestamp() - began, page % 2 == 0));
            }

            Assert.Equal(Pages, mine.DontNeed(0, Pages));
        }

        PageCacheStatistics statistics = cache.GetStatistics();
        await Quiet.CheckAsync(cache, "measured");
        return (AreaUnderCurve(times), statistics);
    }

    private static double AreaUnderCurve(List<(long Ticks, bool IsShared)> times)
    {
        double ranks = 0;
        long shared = 0;
        (long Ticks, bool IsShared)[] sorted = [.. times.OrderBy(time => time.Ticks)];
        for (int first = 0; first < sorted.Length;)
        {
            int end = first;
            while (end < sorted.Length && sorted[end].Ticks == sorted[first].Ticks)
            {
                end++;
            }

            // Those that took equally long have the rank in the middle.
            int sharedHere = sorted[first..end].Count(time => time.IsShared);
            ranks += sharedHere * ((first + 1 + end) / 2.0);
            shared += sharedHere;
            first = end;
        }

        double others = sorted.Length - shared;
        return (ranks - (shared * (shared + 1) / 2.0)) / (shared * others);
    }

    private static void ReadAll(Mapping mapping)
    {
        for (long page = 0; page < Pages; page++)
        {
            mapping.Read(page).Dispose();
        }
    }

    /// <summary>Even pages are the same on every device, odd ones each device's own.</summary>
    private static MemoryBlockDevice Device(int number)
    {
        MemoryBlockDevice device = new($"memory {number}", Pages * (long)PageSize);
        byte[] bytes = new byte[PageSize];
        for (int page = 0; page < Pages; page++)
        {
            new Random(page % 2 == 0 ? page : (page * 2) + number + 100_000).NextBytes(bytes);
            device.Write(page * (long)PageSize, bytes);
        }

        return device;
    }
}
