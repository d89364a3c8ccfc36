using StorageCache.IO;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Stress;

/// <summary>A file of 16 TiB, nearly all of it holes, through a cache of a few MiB: every page needs a leaf of its own.</summary>
public sealed class SparseFileTests
{
    private const long Length = (1L << 44) - (1L << 20);
    private const int PageSize = 4096;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Random_pages_of_16_TiB_pass_through_a_small_cache_within_its_limit(bool onFile)
    {
        using ScratchDirectory? directory = onFile ? new ScratchDirectory() : null;
        await using var cache = new PageCache(new PageCacheOptions
        {
            PageSize = PageSize,
            MemoryLimit = 2 << 20,
            MaximumMemoryLimit = 2 << 20,
            WriteBackInterval = TimeSpan.FromMilliseconds(20),
        });
        var device = new MemoryBlockDevice("sparse");
        Mapping mapping = directory is null ? await cache.OpenAsync(device) : await cache.OpenAsync(directory.File("sparse"));
        await mapping.ExtendAsync(Length);
        var oracle = new SparseOracle();
        DateTime end = DateTime.UtcNow + StressTime.Of(1.5);
        await Task.WhenAll(Enumerable.Range(0, 3).Select(i => Task.Run(() => WorkAsync(cache, mapping, oracle, i, end))));
        try
        {
            await mapping.FlushAsync();
        }
        catch (PageWriteException error) when (onFile && error.InnerException is BlockIOException { Errno: 27 or 22 })
        {
            Assert.Skip("The file system has no files of 16 TiB.");
        }

        await Quiet.CheckAsync(cache, "after the flush");
        await mapping.CloseAsync();
        await Quiet.CheckAsync(cache, "after the close");
        Assert.Equal(0, cache.Core.PageTables.Leaves);
        mapping = directory is null ? await cache.OpenAsync(device) : await cache.OpenAsync(directory.File("sparse"));
        Assert.Equal(Length, mapping.Length);
        foreach ((long page, long value) in oracle.Written)
        {
            using PageReadLease lease = await mapping.ReadAsync(page);
            Assert.Equal(value, BitConverter.ToInt64(lease.Span));
        }
    }

    private static async Task WorkAsync(PageCache cache, Mapping mapping, SparseOracle oracle, int worker, DateTime end)
    {
        var random = new Random((StressTime.Seed * 7) + worker);
        for (long i = 0; DateTime.UtcNow < end; i++)
        {
            // Each worker has its own pages, so it knows what they hold.
            long page = (random.NextInt64(Length / PageSize / 4) * 4) + worker;
            if (i % 4 == 0 && oracle.Written.Count < 1500)
            {
                using PageWriteLease lease = await mapping.WriteAsync(page);
                BitConverter.TryWriteBytes(lease.Span, i + 1);
                lease.MarkDirty();
                oracle.Note(page, i + 1);
            }
            else if (i % 4 == 1 && oracle.TryPick(random, worker, out page, out long value))
            {
                using PageReadLease lease = await mapping.ReadAsync(page);
                Assert.Equal(value, BitConverter.ToInt64(lease.Span));
            }
            else if (!oracle.Written.ContainsKey(page))
            {
                using PageReadLease lease = await mapping.ReadAsync(page);
                Assert.False(lease.Span.ContainsAnyExcept((byte)0), $"page {page} was never written");
            }

            PageCacheStatistics statistics = cache.GetStatistics();
            Assert.True(statistics.MemoryUsed <= statistics.MemoryLimit, $"{statistics.MemoryUsed} bytes are in use, above the limit of {statistics.MemoryLimit}");
        }
    }

    /// <summary>What was written where.</summary>
    private sealed class SparseOracle
    {
        private readonly List<long>[] _pages = [[], [], []];

        public System.Collections.Concurrent.ConcurrentDictionary<long, long> Written { get; } = new();

        public void Note(long page, long value)
        {
            if (Written.TryAdd(page, value))
            {
                _pages[page % 4].Add(page);
            }
            else
            {
                Written[page] = value;
            }
        }

        public bool TryPick(Random random, int worker, out long page, out long value)
        {
            page = _pages[worker].Count == 0 ? 0 : _pages[worker][random.Next(_pages[worker].Count)];
            return Written.TryGetValue(page, out value) && page % 4 == worker;
        }
    }
}
