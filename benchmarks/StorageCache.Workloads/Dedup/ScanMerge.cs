using System.Diagnostics;
using StorageCache.IO;
using StorageCache.Workloads.Memory;

namespace StorageCache.Workloads.Dedup;

/// <summary>Pages with the same bytes that came into memory by being written, and are found by the cache's scan.</summary>
internal static class ScanMerge
{
    /// <summary>Bytes per page.</summary>
    public const int PageSize = 4096;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    /// <summary>Writes the same bytes through several mappings over memory, and waits until they share their frames.</summary>
    /// <param name="copies">How many mappings.</param>
    /// <param name="bytes">What each holds.</param>
    /// <param name="pagesPerSecond">The scan's pace. It may take a whole core for it.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="WorkloadFailedException">It takes too long.</exception>
    public static async Task<MergeFigures> RunAsync(int copies, byte[] bytes, int pagesPerSecond, CancellationToken cancellationToken)
    {
        int pages = bytes.Length / PageSize;
        await using PageCache cache = new(new PageCacheOptions
        {
            MemoryLimit = bytes.LongLength * copies * 5 / 4,
            ScanPagesPerSecond = pagesPerSecond,
            ScanCpuShare = 1,
            DirtyBackgroundRatio = 0.9,
            DirtyLimitRatio = 0.95,
        });
        SharingDomain domain = new("scan") { SharesContent = true };
        List<Mapping> mappings = [];
        for (int copy = 0; copy < copies; copy++)
        {
            Mapping mapping = await cache.OpenAsync(new MemoryBlockDevice("copy"), new MappingOptions { SharingDomain = domain });
            mappings.Add(mapping);
            for (int page = 0; page < pages; page++)
            {
                using PageWriteLease lease = mapping.WriteNew(page);
                bytes.AsSpan(page * PageSize, PageSize).CopyTo(lease.Span);
                lease.MarkDirty();
            }
        }

        // What is dirty is not looked at. The scan's time counts from here on, for it looks at clean pages only.
        await Task.WhenAll(mappings.Select(mapping => mapping.FlushAsync().AsTask()));
        TimeSpan cpu = cache.GetStatistics().ScanTime;
        long began = Stopwatch.GetTimestamp();
        for (int shared = 0; shared < pages;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (Stopwatch.GetElapsedTime(began) > s_limit)
            {
                throw new WorkloadFailedException($"page {shared} of {pages} was not shared by all after {s_limit.TotalSeconds} s of scanning");
            }

            // What shares a frame goes on sharing it, so that each page is looked at until it does, and not again.
            while (shared < pages && IsShared(mappings, shared))
            {
                shared++;
            }

            await Task.Delay(2, cancellationToken);
        }

        MergeFigures figures = new(Stopwatch.GetElapsedTime(began).TotalSeconds, (cache.GetStatistics().ScanTime - cpu).TotalSeconds);
        Verify(mappings, bytes);
        return figures;
    }

    private static bool IsShared(List<Mapping> mappings, int page)
    {
        nint first = FrameAddresses.Of(mappings[0], page);
        return mappings.TrueForAll(mapping => FrameAddresses.Of(mapping, page) == first);
    }

    private static void Verify(List<Mapping> mappings, byte[] bytes)
    {
        foreach (Mapping mapping in mappings)
        {
            for (int page = 0; page < bytes.Length / PageSize; page++)
            {
                using PageReadLease lease = mapping.Read(page);
                if (!lease.Span.SequenceEqual(bytes.AsSpan(page * PageSize, PageSize)))
                {
                    throw new WorkloadFailedException($"page {page} holds other bytes after it was shared");
                }
            }
        }
    }
}
