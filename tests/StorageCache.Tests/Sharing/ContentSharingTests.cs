using StorageCache.IO;
using StorageCache.Tests.Harness;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Sharing;

/// <remarks>SH-5, SH-6, P-3, P-5.</remarks>
public sealed class ContentSharingTests
{
    private const int PageSize = 4096;

    private static readonly SharingDomain s_domain = new("tests") { SharesContent = true };

    [Fact]
    public async Task Pages_with_equal_bytes_have_one_frame_whatever_file_they_are_of()
    {
        const int Pages = 100;
        await using PageCache cache = Open();
        Mapping[] mappings = [await OpenAsync(cache, Stamped(Pages)), await OpenAsync(cache, Stamped(Pages)), await OpenAsync(cache, Stamped(Pages))];
        foreach (Mapping mapping in mappings)
        {
            for (long page = 0; page < Pages; page++)
            {
                using PageReadLease lease = mapping.Read(page);
                Assert.Equal(StampOf(page), lease.Span[0]);
                Assert.Equal(-1, lease.Span.IndexOfAnyExcept(StampOf(page)));
            }
        }

        PageCacheStatistics statistics = cache.GetStatistics();
        Assert.Equal(3 * Pages, statistics.ResidentPages);
        Assert.Equal(Pages, cache.Core.Frames.Active - cache.Core.Frames.FreeCount);
        Assert.Equal(Pages, statistics.SharedFrames);
        Assert.InRange(statistics.BytesSaved, 2L * Pages * (PageSize - 200), 2L * Pages * PageSize);
        await Quiet.CheckAsync(cache, "shared");
    }

    [Fact]
    public async Task A_writer_breaks_away_and_the_other_owners_keep_their_bytes()
    {
        await using PageCache cache = Open();
        Mapping a = await OpenAsync(cache, Stamped(4));
        Mapping b = await OpenAsync(cache, Stamped(4));
        Touch(a, 2);
        Touch(b, 2);
        Assert.Equal(1, cache.GetStatistics().SharedFrames);
        using (PageWriteLease lease = a.Write(2))
        {
            lease.Span.Fill(200);
            lease.MarkDirty();
        }

        Assert.Equal(StampOf(2), FirstByte(b, 2));
        Assert.Equal(200, FirstByte(a, 2));
        PageCacheStatistics statistics = cache.GetStatistics();
        Assert.Equal(0, statistics.SharedFrames);
        Assert.Equal(1, statistics.BreaksOf(ProtectionReason.Sharing));
        await a.FlushAsync();
        Assert.Equal(StampOf(2), FirstByte(b, 2));
        await Quiet.CheckAsync(cache, "broken away");
    }

    [Fact]
    public async Task The_last_owner_of_a_frame_writes_it_without_a_copy()
    {
        await using PageCache cache = Open();
        Mapping a = await OpenAsync(cache, Stamped(4));
        Mapping b = await OpenAsync(cache, Stamped(4));
        Touch(a, 1);
        Touch(b, 1);
        Assert.Equal(1, b.DontNeed(1, 1));
        using (PageWriteLease lease = a.Write(1))
        {
            lease.Span.Fill(7);
            lease.MarkDirty();
        }

        Assert.Equal(0, cache.GetStatistics().Breaks);
        Assert.Equal(StampOf(1), FirstByte(b, 1));
        await Quiet.CheckAsync(cache, "written in place");
    }

    [Fact]
    public async Task Domains_do_not_share_with_each_other_and_a_mapping_can_stay_out()
    {
        await using PageCache cache = Open();
        Mapping a = await OpenAsync(cache, Stamped(4));
        Mapping other = await OpenAsync(cache, Stamped(4), new SharingDomain("other") { SharesContent = true });
        Mapping none = await cache.OpenAsync(Stamped(4), new MappingOptions { SharingDomain = s_domain, Shares = false });
        Mapping plain = await cache.OpenAsync(Stamped(4));
        foreach (Mapping mapping in new[] { a, other, none, plain })
        {
            for (long page = 0; page < 4; page++)
            {
                Touch(mapping, page);
            }
        }

        Assert.Equal(0, cache.GetStatistics().SharedFrames);
        await Quiet.CheckAsync(cache, "apart");
    }

    [Fact]
    public async Task All_pages_of_zeros_have_one_frame()
    {
        const int Pages = 300;
        await using PageCache cache = Open();
        Mapping a = await OpenAsync(cache, new MemoryBlockDevice("zeros", Pages * (long)PageSize));
        Assert.Equal(Pages, a.Prefetch(0, Pages));
        Assert.Equal(1, cache.Core.Frames.Active - cache.Core.Frames.FreeCount);
        await Quiet.CheckAsync(cache, "zeros");
    }

    /// <remarks>P-11: whoever holds a page hears of the next writer, so the page must have the frame that he holds.</remarks>
    [Fact]
    public async Task The_scan_leaves_a_page_that_is_held_in_its_frame()
    {
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 4 << 20, ScanPagesPerSecond = 0 });
        Mapping mapping = await OpenAsync(cache, new MemoryBlockDevice("device", 4 * PageSize));
        Fill(mapping, 0, 7);
        Fill(mapping, 1, 7);
        await mapping.FlushAsync();
        int[] calls = new int[2];
        using (mapping.Protect(0, ProtectionReason.Replica, _ => Interlocked.Increment(ref calls[0])))
        using (ProtectedPage held = mapping.Protect(1, ProtectionReason.Replica, _ => Interlocked.Increment(ref calls[1])))
        {
            Scan(mapping, 0);
            Scan(mapping, 1);
            Assert.True(held.IsCurrent);
            Fill(mapping, 0, 8);
            Fill(mapping, 1, 8);
            Wait.Until(() => Volatile.Read(ref calls[0]) == 1 && Volatile.Read(ref calls[1]) == 1, "both holders to be told");
        }

        await mapping.FlushAsync();
        Scan(mapping, 0);
        Scan(mapping, 1);
        Assert.Equal(1, cache.GetStatistics().SharedFrames);
        await Quiet.CheckAsync(cache, "scanned");
    }

    /// <remarks>P-11. The other page may even have the slot that the page had which is held.</remarks>
    [Fact]
    public async Task A_hold_whose_page_has_gone_hears_nothing_of_other_owners_of_its_frame()
    {
        await using PageCache cache = Open();
        int calls = 0;
        for (int round = 0; round < 20; round++)
        {
            Mapping gone = await OpenAsync(cache, Stamped(4));
            Touch(gone, 1);
            using ProtectedPage held = gone.Protect(1, ProtectionReason.Snapshot, _ => Interlocked.Increment(ref calls));
            await gone.CloseAsync();
            await using Mapping other = await OpenAsync(cache, Stamped(4));
            Touch(other, 1);
            using SemaphoreSlim told = new(0);
            using ProtectedPage heldToo = other.Protect(1, ProtectionReason.Snapshot, _ => told.Release());
            Fill(other, 1, 200);
            Assert.True(await told.WaitAsync(Wait.Patience));
        }

        Assert.Equal(0, calls);
    }

    [Fact]
    public async Task The_scan_finds_pages_that_have_become_equal()
    {
        const int Pages = 64;
        await using PageCache cache = Open();
        Mapping a = await OpenAsync(cache, new MemoryBlockDevice("a"));
        Mapping b = await OpenAsync(cache, new MemoryBlockDevice("b"));
        foreach (Mapping mapping in new[] { a, b })
        {
            for (long page = 0; page < Pages; page++)
            {
                using PageWriteLease lease = mapping.WriteNew(page);
                lease.Span.Fill(StampOf(page));
                lease.MarkDirty();
            }

            await mapping.FlushAsync();
        }

        Wait.Until(() => cache.GetStatistics().SharedFrames == Pages, "the scan to find all pages");
        for (long page = 0; page < Pages; page++)
        {
            Assert.Equal(StampOf(page), FirstByte(a, page));
            Assert.Equal(StampOf(page), FirstByte(b, page));
        }

        await Quiet.CheckAsync(cache, "scanned");
        Assert.True(cache.GetStatistics().PagesScanned >= 2 * Pages);
    }

    private static PageCache Open(long memory = 8 << 20) => new(new PageCacheOptions { MemoryLimit = memory, WriteBackInterval = TimeSpan.FromHours(1) });

    private static async Task<Mapping> OpenAsync(PageCache cache, IBlockDevice device, SharingDomain? domain = null) =>
        await cache.OpenAsync(device, new MappingOptions { SharingDomain = domain ?? s_domain, AccessPattern = AccessPattern.Random });

    private static byte StampOf(long page) => (byte)(1 + (page % 101));

    private static MemoryBlockDevice Stamped(int pages)
    {
        MemoryBlockDevice device = new("stamped", pages * (long)PageSize);
        byte[] bytes = new byte[PageSize];
        for (int page = 0; page < pages; page++)
        {
            bytes.AsSpan().Fill(StampOf(page));
            device.Write(page * (long)PageSize, bytes);
        }

        return device;
    }

    private static void Touch(Mapping mapping, long page) => mapping.Read(page).Dispose();

    private static byte FirstByte(Mapping mapping, long page)
    {
        using PageReadLease lease = mapping.Read(page);
        return lease.Span[0];
    }

    private static void Fill(Mapping mapping, long page, byte value)
    {
        using PageWriteLease lease = mapping.Write(page);
        lease.Span.Fill(value);
        lease.MarkDirty();
    }

    /// <summary>Does with a page what the scan does.</summary>
    private static unsafe void Scan(Mapping mapping, long page)
    {
        Buffers.Slot* slot = mapping.Table.Find(page);
        mapping.ShareByContent(mapping.Sharing!, page, slot->Frame, slot->Head);
    }
}
