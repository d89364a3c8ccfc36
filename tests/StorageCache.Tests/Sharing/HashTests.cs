using StorageCache.IO;
using StorageCache.Sharing;
using StorageCache.Tests.Harness;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Sharing;

/// <summary>Hashes name candidates only: one that says the same of all pages costs sharing, and nothing else.</summary>
/// <remarks>SH-5, F-10.</remarks>
public sealed class HashTests
{
    private const int Pages = 100;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_hash_that_is_the_same_for_all_pages_never_makes_unequal_ones_share(bool scans)
    {
        ConstantHasher hasher = new();
        await using PageCache cache = new(
            new PageCacheOptions
            {
                MemoryLimit = 4 << 20,
                WriteBackInterval = TimeSpan.FromHours(1),
                ScanPagesPerSecond = scans ? 10_000_000 : 0,
                ScanCpuShare = 1,
            },
            hasher);
        MappingOptions options = new() { SharingDomain = new SharingDomain("tests") { SharesContent = true }, AccessPattern = AccessPattern.Random };
        Mapping[] mappings = new Mapping[3];
        for (int i = 0; i < mappings.Length; i++)
        {
            mappings[i] = await cache.OpenAsync(new MemoryBlockDevice($"device {i}", Pages * 4096), options);
            for (int page = 0; page < Pages; page++)
            {
                using PageWriteLease lease = mappings[i].WriteNew(page);
                lease.Span.Fill((byte)(page + 1));
                lease.MarkDirty();
            }

            await mappings[i].FlushAsync();
            mappings[i].DontNeed(0, scans ? 0 : Pages);
        }

        for (int round = 0; round < 3; round++)
        {
            foreach (Mapping mapping in mappings)
            {
                for (int page = 0; page < Pages; page++)
                {
                    using PageReadLease lease = mapping.Read(page);
                    Assert.Equal(-1, lease.Span.IndexOfAnyExcept((byte)(page + 1)));
                }
            }

            long hashed = hasher.Hashed;
            if (scans)
            {
                Wait.Until(() => hasher.Hashed > hashed + (2 * Pages), "the scan to come round");
            }
        }

        // While a frame is being put in it counts, also if another turns out to be in its place.
        cache.Core.Sharing.Scanner.Stop();
        Assert.InRange(cache.Core.Sharing.ByContent.Count, 0, 1);
        Assert.InRange(cache.GetStatistics().SharedFrames, 0, 1);
        Assert.True(cache.GetStatistics().RefusalsOf(ProtectionRefusal.Different) > 0);
        await Quiet.CheckAsync(cache, "with a constant hash");
    }

    private sealed class ConstantHasher : PageHasher
    {
        private long _hashed;

        public long Hashed => Volatile.Read(ref _hashed);

        public override UInt128 Hash(ReadOnlySpan<byte> page)
        {
            Interlocked.Increment(ref _hashed);
            return 42;
        }
    }
}
