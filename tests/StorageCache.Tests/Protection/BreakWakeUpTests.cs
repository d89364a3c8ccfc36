using StorageCache.Buffers;
using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Protection;

/// <summary>Writers who wait for a frame to break away onto, and come not to need one (P-10). Their pages are pinned, lest they leave instead.</summary>
public sealed class BreakWakeUpTests
{
    private const int PageSize = 4096;

    [Fact]
    public async Task A_writer_goes_on_when_the_last_other_reference_to_its_frame_has_gone()
    {
        await using TestCache test = await TestCache.OpenAsync(memory: TestCache.Smallest);
        CacheCore core = test.Cache.Core;
        using PagePin pin = test.Mapping.Pin(0);
        uint frame = Keep(test, page: 0);
        List<uint> all = TakeAll(core);
        Task writer = Task.Run(() => test.Fill(0, 7), TestContext.Current.CancellationToken);
        Wait.Until(() => core.FrameQueue.Count == 1, "the writer to wait for a frame");
        core.DropFrame(frame);
        await writer.InTime();
        all.ForEach(core.DropFrame);
        Assert.Equal(7, test.ByteOf(0));
    }

    [Fact]
    public async Task A_writer_goes_on_whenever_that_reference_goes()
    {
        await using TestCache test = await TestCache.OpenAsync(memory: TestCache.Smallest);
        CacheCore core = test.Cache.Core;
        using PagePin pin = test.Mapping.Pin(0);
        for (int round = 0; round < 500; round++)
        {
            test.ByteOf(0);
            uint frame = Keep(test, page: 0);
            List<uint> all = TakeAll(core);
            Together.Run(2, number =>
            {
                if (number == 0)
                {
                    test.Mapping.Write(0).Dispose();
                }
                else
                {
                    Thread.SpinWait(round % 50 * 20);
                    core.DropFrame(frame);
                }
            });
            all.ForEach(core.DropFrame);
        }
    }

    [Fact]
    public async Task A_writer_goes_on_when_the_other_page_with_its_frame_has_left()
    {
        SharingDomain domain = new("equal") { SharesContent = true };
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = TestCache.Smallest + (64 << 10), FrameTimeout = TimeSpan.FromMinutes(5), ScanPagesPerSecond = 0 });
        MappingOptions options = new() { SharingDomain = domain, AccessPattern = AccessPattern.Random };
        Mapping mine = await cache.OpenAsync(new MemoryBlockDevice("mine", PageSize), options);
        Mapping others = await cache.OpenAsync(new MemoryBlockDevice("others", PageSize), options);
        using PagePin pin = mine.Pin(0);
        PageReadLease lease = others.Read(0);
        Assert.Equal(1, cache.GetStatistics().SharedFrames);
        List<uint> all = TakeAll(cache.Core);
        Task writer = Task.Run(() => mine.Write(0).Dispose(), TestContext.Current.CancellationToken);
        Wait.Until(() => cache.Core.FrameQueue.Count == 1, "the writer to wait for a frame");
        lease.Dispose();
        others.DontNeed(0, 1);
        await writer.InTime();
        Assert.Equal(0, cache.GetStatistics().Breaks);
        all.ForEach(cache.Core.DropFrame);
    }

    /// <summary>Adds a reference to a page's frame as the scan does, and leaves none of its own.</summary>
    private static unsafe uint Keep(TestCache test, long page)
    {
        test.ByteOf(page);
        Slot* slot = test.Mapping.Table.Enter(page, create: false, out _);
        StateWord.LockList(slot);
        Assert.True(StateWord.TryProtect(slot));
        uint frame = slot->Frame;
        test.Cache.Core.Frames.AddReference(frame);
        StateWord.UnlockList(slot);
        test.Cache.Core.PageTables.Leave(test.Cache.Core.PageTables.HeaderOf(slot));
        return frame;
    }

    /// <summary>Takes every frame there is but those that pages have, those kept for breaks included.</summary>
    private static List<uint> TakeAll(CacheCore core)
    {
        List<uint> all = [];
        for (uint frame = core.Frames.TryAllocate(forBreak: true); frame != 0; frame = core.Frames.TryAllocate(forBreak: true))
        {
            all.Add(frame);
        }

        return all;
    }
}
