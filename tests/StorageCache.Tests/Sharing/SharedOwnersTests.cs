using StorageCache.IO;
using StorageCache.Tests.Harness;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Sharing;

/// <summary>Pages that have a frame together have nothing else together.</summary>
/// <remarks>SH-7, SH-8.</remarks>
public sealed class SharedOwnersTests
{
    private static readonly SharingDomain s_domain = new("tests") { SharesContent = true };

    [Fact]
    public async Task Words_of_the_engine_above_are_each_pages_own()
    {
        await using PageCache cache = Open(scans: true);
        Mapping[] mappings = [await OpenAsync(cache, new ScriptedDevice(4)), await OpenAsync(cache, new ScriptedDevice(4))];
        for (uint i = 0; i < 2; i++)
        {
            using PageWriteLease lease = mappings[i].Write(0);
            lease.PrivateWord = 10 + i;
            lease.Span.Fill(3);
            lease.MarkDirty(lsn: 70 + i);
        }

        await cache.FlushAsync();
        Wait.Until(() => cache.GetStatistics().SharedFrames == 1, "the scan to find the pages");
        for (uint i = 0; i < 2; i++)
        {
            using PageReadLease lease = mappings[i].Read(0);
            Assert.Equal((10UL + i, 70UL + i), (lease.PrivateWord, lease.Lsn));
        }

        Fill(mappings[0], 0, 4);
        using PageReadLease copied = mappings[0].Read(0);
        Assert.Equal((10UL, 70UL), (copied.PrivateWord, copied.Lsn));
        Assert.Equal(0, cache.GetStatistics().SharedFrames);
    }

    [Fact]
    public async Task What_one_writes_is_dirty_for_it_alone_and_goes_to_its_device()
    {
        await using PageCache cache = Open();
        ScriptedDevice[] devices = [new(4), new(4), new(4)];
        Mapping[] mappings = [await OpenAsync(cache, devices[0]), await OpenAsync(cache, devices[1]), await OpenAsync(cache, devices[2])];
        Array.ForEach(mappings, mapping => mapping.Read(0).Dispose());
        Fill(mappings[1], 0, 9);
        Assert.Equal([0L, 1L, 0L], mappings.Select(mapping => mapping.DirtyPages));
        await cache.FlushAsync();
        Assert.Equal([0L, 1L, 0L], devices.Select(device => device.Writes));
        Assert.Equal([0, 9, 0], devices.Select(device => (int)device.Bytes(0)[0]));
        Assert.Equal([0, 9, 0], mappings.Select(mapping => (int)ByteOf(mapping, 0)));
        await Quiet.CheckAsync(cache, "written");
    }

    [Fact]
    public async Task A_failed_sync_makes_the_pages_of_its_own_file_dirty_and_no_others()
    {
        await using PageCache cache = Open(scans: true);
        ScriptedDevice device = new(4);
        Mapping a = await OpenAsync(cache, device);
        Mapping b = await OpenAsync(cache, new ScriptedDevice(4));
        Fill(a, 0, 5);
        Fill(b, 0, 5);
        await b.FlushAsync();
        device.Hold = call => call.Operation == BlockOperation.Flush;
        device.Fault = call => call.Operation == BlockOperation.Flush ? ScriptedDevice.Eio(call) : null;
        Task flush = a.FlushAsync().AsTask();
        device.WaitForHeld(1);
        Wait.Until(() => cache.GetStatistics().SharedFrames == 1, "the scan to share what has been written and not synced");
        device.ReleaseAll();
        await Assert.ThrowsAsync<FlushFailedException>(() => flush.InTime());
        Assert.Equal(MappingState.Failed, a.State);
        Assert.Equal(MappingState.Open, b.State);
        Assert.Equal((1L, 0L), (a.DirtyPages, b.DirtyPages));
        Fill(b, 0, 6);
        await b.FlushAsync();
        Assert.Equal((5, 6), (ByteOf(a, 0), ByteOf(b, 0)));
        await Quiet.CheckAsync(cache, "failed");
        device.Fault = null;
        await a.CloseAsync();
        Assert.Equal(6, ByteOf(b, 0));
        await Quiet.CheckAsync(cache, "closed");
    }

    [Fact]
    public async Task A_page_that_cannot_be_read_or_written_leaves_the_others_alone()
    {
        await using PageCache cache = Open();
        ScriptedDevice device = new(4);
        Mapping a = await OpenAsync(cache, device);
        Mapping b = await OpenAsync(cache, new ScriptedDevice(4));
        Assert.Equal(0, ByteOf(b, 1));
        device.Fault = call => call.Operation == BlockOperation.Flush ? null : ScriptedDevice.Eio(call);
        Assert.Throws<PageReadException>(() => ByteOf(a, 1));
        Assert.Equal(0, ByteOf(b, 1));
        device.Fault = null;
        Assert.Equal(0, ByteOf(a, 1));
        Assert.Equal(1, cache.GetStatistics().SharedFrames);
        Fill(a, 1, 3);
        device.Fault = call => call.Operation == BlockOperation.Write ? ScriptedDevice.Eio(call) : null;
        await Assert.ThrowsAsync<PageWriteException>(async () => await a.FlushAsync());
        await b.FlushAsync();
        Assert.Equal((1L, 0L), (a.DirtyPages, b.DirtyPages));
        Assert.Equal((3, 0), (ByteOf(a, 1), ByteOf(b, 1)));
        device.Fault = null;
        await a.FlushAsync();
        await Quiet.CheckAsync(cache, "mended");
    }

    /// <remarks>Owners beside the first take memory too, which they are charged for; what there is no room for is read and evicted as ever.</remarks>
    [Theory]
    [InlineData(64)]
    [InlineData(100)]
    public async Task A_hundred_files_of_zeros_stay_within_the_limit(int frames)
    {
        const int Mappings = 100;
        const int Pages = 200;
        long limit = CacheCore.LeastMemory(4096) + ((frames - 64) * (4096 + 256L));
        await using PageCache cache = Open(memory: limit, scans: true);
        Mapping[] mappings = new Mapping[Mappings];
        for (int i = 0; i < Mappings; i++)
        {
            mappings[i] = await OpenAsync(cache, new MemoryBlockDevice($"zeros {i}", Pages * 4096L));
        }

        bool wasShared = false;
        Together.Run(3, thread =>
        {
            Random random = new(StressTime.Seed + thread);
            for (int i = 0; i < Mappings * Pages / 3; i++)
            {
                int number = thread == 0 ? i : random.Next(Mappings * Pages);
                Mapping mapping = mappings[number / Pages % Mappings];
                if (random.Next(50) == 0)
                {
                    using PageWriteLease lease = mapping.Write(number % Pages);
                    Assert.False(lease.Span.ContainsAnyExcept((byte)0));
                    lease.MarkDirty();
                }
                else
                {
                    using PageReadLease lease = mapping.Read(number % Pages);
                    Assert.False(lease.Span.ContainsAnyExcept((byte)0));
                }

                wasShared |= cache.Core.Protection.Owners.SharedFrames > 0;
                Assert.True(cache.Core.Budget.Used <= limit, $"{cache.Core.Budget.Used} bytes are charged, above the limit of {limit}");
            }
        });
        Assert.True(wasShared);
        await cache.FlushAsync();
        await Quiet.CheckAsync(cache, "shared by many");
        await cache.ResizeAsync(CacheCore.LeastMemory(4096)).InTime();
        await Quiet.CheckAsync(cache, "smaller");
    }

    /// <remarks>P-8: no more than 64 owners are looked at under one hold of the ring's lock, which is asserted there.</remarks>
    [Fact]
    public async Task A_frame_with_a_thousand_owners_makes_room_for_others_and_comes_back_once()
    {
        const int Mappings = 10;
        const int Pages = 100;
        await using PageCache cache = Open();
        Mapping[] mappings = new Mapping[Mappings];
        for (int i = 0; i < Mappings; i++)
        {
            mappings[i] = await OpenAsync(cache, new MemoryBlockDevice($"zeros {i}", Pages * 4096L));
        }

        Mapping others = await cache.OpenAsync(new MemoryBlockDevice("others", 4 * cache.GetStatistics().FrameCapacity * 4096), new MappingOptions { Shares = false, AccessPattern = AccessPattern.Random });
        for (int round = 0; round < 3; round++)
        {
            Array.ForEach(mappings, mapping => ReadAll(mapping));
            PageCacheStatistics shared = cache.GetStatistics();
            Assert.Equal((1, (Mappings * Pages) - 1), (shared.SharedFrames, cache.Core.Protection.Owners.FurtherOwners));

            // One of them is written meanwhile, and is no owner any more.
            Fill(mappings[round], round, 7);
            await mappings[round].FlushAsync();
            ReadAll(others);
            ReadAll(others);
            Assert.Equal(0, mappings.Sum(mapping => mapping.ResidentPages));
            Assert.Equal(0, cache.Core.Protection.Owners.FurtherOwners);
            await Quiet.CheckAsync(cache, "evicted");
            Assert.Equal(7, ByteOf(mappings[round], round));
            Fill(mappings[round], round, 0);
            await mappings[round].FlushAsync();
            Evict(mappings[round]);
            Evict(others);
        }
    }

    private static PageCache Open(long memory = 4 << 20, bool scans = false) => new(new PageCacheOptions
    {
        MemoryLimit = memory,
        WriteBackInterval = TimeSpan.FromHours(1),
        ScanPagesPerSecond = scans ? 10_000_000 : 0,
        ScanCpuShare = 1,
    });

    private static async Task<Mapping> OpenAsync(PageCache cache, IBlockDevice device) =>
        await cache.OpenAsync(device, new MappingOptions { SharingDomain = s_domain, AccessPattern = AccessPattern.Random });

    private static void Fill(Mapping mapping, long page, byte value)
    {
        using PageWriteLease lease = mapping.Write(page);
        lease.Span.Fill(value);
        lease.MarkDirty();
    }

    private static void ReadAll(Mapping mapping)
    {
        for (long page = 0; page < mapping.PageCount; page++)
        {
            mapping.Read(page).Dispose();
        }
    }

    private static void Evict(Mapping mapping)
    {
        Wait.Until(() => mapping.DontNeed(0, mapping.PageCount) >= 0 && mapping.ResidentPages == 0, "the pages to leave");
    }

    private static byte ByteOf(Mapping mapping, long page)
    {
        using PageReadLease lease = mapping.Read(page);
        Assert.Equal(-1, lease.Span.IndexOfAnyExcept(lease.Span[0]));
        return lease.Span[0];
    }
}
