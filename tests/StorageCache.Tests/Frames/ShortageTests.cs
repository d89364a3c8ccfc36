using StorageCache.IO;
using StorageCache.Mappings;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Frames;

/// <summary>F-6: where frames are of no use, because something else is short, nobody is handed one in vain, over and over.</summary>
public class ShortageTests
{
    private const int PagesPerLeaf = PageTable.SlotsPerLeaf;

    [Fact]
    public async Task One_who_lacks_a_head_is_not_handed_frames_while_no_head_can_be_had()
    {
        await using PageCache cache = Open();
        Mapping mapping = await cache.OpenAsync(new MemoryBlockDevice("memory", 4096L * 4096), new MappingOptions { AccessPattern = AccessPattern.Random });

        // The slab is as large as it can get, and it is not the limit that says so: as where the kernel has no memory to promise.
        cache.Core.Heads.Capacity = int.MaxValue;
        using PinList pins = new();
        while (cache.Core.Heads.InUse < cache.Core.Heads.Maximum)
        {
            // Truncated away, they keep their heads and not their frames.
            pins.Add(mapping.Pin(pins.Count));
            if (pins.Count % 50 == 0)
            {
                await mapping.TruncateAsync(0).InTime();
                await mapping.ExtendAsync(4096L * 4096).InTime();
            }
        }

        await mapping.TruncateAsync(0).InTime();
        await mapping.ExtendAsync(4096L * 4096).InTime();
        Assert.Equal(0, cache.GetStatistics().ResidentPages);
        long waits = cache.GetStatistics().FrameWaits;
        Task<PageReadLease> reader = mapping.ReadAsync(4000).AsTask();
        TakeTurns(cache, 20);
        Assert.Equal(waits + 1, cache.GetStatistics().FrameWaits);

        pins.ReturnLast();
        (await reader.InTime()).Dispose();
    }

    [Fact]
    public async Task One_who_lacks_a_leaf_is_not_handed_room_while_there_is_no_memory_for_leaves()
    {
        await using PageCache cache = Open();
        Mapping mapping = await cache.OpenAsync(new MemoryBlockDevice("memory", 1L << 40), new MappingOptions { AccessPattern = AccessPattern.Random });

        // Leaves are as many as there can be, and it is not the limit that says so.
        cache.Core.Budget.SetLimit(1 << 30);
        using PinList pins = new();
        while (cache.Core.PageTables.MayGrow && mapping.Prefetch(pins.Count * (long)PagesPerLeaf, 1) == 1)
        {
            pins.Add(mapping.Pin(pins.Count * (long)PagesPerLeaf));
        }

        Assert.False(cache.Core.PageTables.MayGrow);
        int active = cache.Core.Frames.Active;
        Task<PageReadLease> reader = mapping.ReadAsync(1000 * PagesPerLeaf).AsTask();
        TakeTurns(cache, 20);
        Assert.Equal(1, cache.GetStatistics().FrameWaits);

        // Others, whose leaf is there, are not held up, and no page or frame was given up in vain.
        using (PageReadLease other = await mapping.ReadAsync(1).AsTask().InTime())
        {
            Assert.False(reader.IsCompleted);
        }

        Assert.InRange(cache.Core.Frames.Active, active, active + 1);
        // A leaf that is empty is another's.
        pins.Dispose();
        (await reader.InTime()).Dispose();
    }

    [Fact]
    public async Task Room_for_a_leaf_is_made_all_at_once_or_not_at_all()
    {
        await using PageCache cache = Open();
        Mapping mapping = await cache.OpenAsync(new MemoryBlockDevice("memory", 1L << 40), new MappingOptions { AccessPattern = AccessPattern.Random });
        using PinList pins = new();
        while (cache.Core.Frames.Available > cache.Core.Frames.Reserve)
        {
            pins.Add(mapping.Pin(pins.Count));
        }

        // Nothing is left for a leaf besides what the frames hold, and of those two come free.
        long rest = cache.Core.Budget.Available;
        Assert.True(cache.Core.Budget.TryCharge(rest));
        for (int i = 0; i < 2; i++)
        {
            pins.ReturnLast();
        }

        while (cache.Core.Reclaimer.Evict(1) > 0)
        {
        }

        int active = cache.Core.Frames.Active;
        Task<PageReadLease> reader = mapping.ReadAsync(1000 * PagesPerLeaf).AsTask();
        TakeTurns(cache, 20);
        Assert.False(reader.IsCompleted);
        Assert.Equal(1, cache.GetStatistics().FrameWaits);
        Assert.Equal(active, cache.Core.Frames.Active);

        pins.Dispose();
        (await reader.InTime()).Dispose();
        cache.Core.Budget.Release(rest);
    }

    private static PageCache Open() => new(new PageCacheOptions
    {
        MemoryLimit = TestCache.Smallest,
        MaximumMemoryLimit = TestCache.Smallest,
        FrameTimeout = TimeSpan.FromMinutes(5),
    });

    /// <summary>Lets the background eviction try in vain so many times.</summary>
    private static void TakeTurns(PageCache cache, int turns)
    {
        for (int i = 0; i < turns; i++)
        {
            long looked = cache.Core.Reclaimer.Looked;
            cache.Core.Reclaimer.Kick();
            Wait.Until(() => cache.Core.Reclaimer.Looked > looked, "a turn of the background eviction");
        }
    }
}
