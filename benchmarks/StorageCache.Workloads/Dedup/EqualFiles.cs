using System.Globalization;
using StorageCache.Workloads.Disk;
using StorageCache.Workloads.Memory;

namespace StorageCache.Workloads.Dedup;

/// <summary>Files with the same bytes, each written by itself, read in full through one cache.</summary>
internal static class EqualFiles
{
    /// <summary>What pages take after all files have been read, in copies of one file: the frames that pages have, and all memory with metadata.</summary>
    /// <param name="count">How many files.</param>
    /// <param name="pages">Pages of each.</param>
    /// <param name="seed">What they hold.</param>
    /// <exception cref="WorkloadFailedException">A page holds the wrong bytes, or has left memory.</exception>
    public static async Task<(double Frames, double Memory)> MeasureAsync(int count, int pages, int seed)
    {
        List<StampedFile> files = [];
        try
        {
            for (int i = 0; i < count; i++)
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"storagecache-dedup-{Environment.ProcessId}-{i}");
                files.Add(StampedFile.CreateAt(Path.Combine(Path.GetTempPath(), name), pages, new Random(seed)));
            }

            return await ReadAsync(files);
        }
        finally
        {
            files.ForEach(file => file.Dispose());
        }
    }

    private static async Task<(double Frames, double Memory)> ReadAsync(List<StampedFile> files)
    {
        SharingDomain domain = new("equal files") { SharesContent = true, SharesExtents = false };

        // Room for all copies apart, so that it is not eviction that makes them fewer; no scan, so that it is reading that finds them.
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = files.Sum(file => file.Length) * 5 / 4, ScanPagesPerSecond = 0 });
        List<Mapping> mappings = [];
        foreach (StampedFile file in files)
        {
            Mapping mapping = await cache.OpenAsync(file.Path, new MappingOptions { Mode = MappingMode.Open, SharingDomain = domain });
            mappings.Add(mapping);
            for (int page = 0; page < file.Pages; page++)
            {
                using PageReadLease lease = mapping.Read(page);
                StampedFile.Check(lease.Span, page);
            }
        }

        PageCacheStatistics statistics = cache.GetStatistics();
        if (statistics.ResidentPages != files.Sum(file => file.Pages))
        {
            throw new WorkloadFailedException($"{statistics.ResidentPages} pages are in memory, not all of {files.Count} files");
        }

        int pages = (int)files[0].Pages;
        return (FrameAddresses.CountDistinct(mappings, pages) / (double)pages, statistics.MemoryUsed / (double)files[0].Length);
    }
}
