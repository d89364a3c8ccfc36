using System.IO.Hashing;
using StorageCache.KeyValueStore.Cli.Files;

namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>What files take in the kernel's page cache, when all of them are read; they are out of it afterwards.</summary>
internal static class KernelMeasure
{
    /// <param name="state">Which files these are.</param>
    /// <param name="paths">The source, then its clones.</param>
    /// <param name="cache">The cache that has them open.</param>
    /// <param name="report">Told how many files have been read.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static CloneMemory Take(string state, IReadOnlyList<string> paths, PageCache cache, Action<double> report, CancellationToken cancellationToken)
    {
        PageCacheStatistics statistics = cache.GetStatistics();
        List<KernelPages> files = [];
        try
        {
            List<ulong> source = [];
            long changed = 0;
            long clonePages = 0;
            foreach (string path in paths)
            {
                bool isSource = files.Count == 0;
                KernelPages file = KernelPages.Open(path);
                files.Add(file);

                // What was there before is no work of these reads.
                file.Drop();
                file.Read(cache.PageSize, (page, bytes) =>
                {
                    ulong hash = XxHash3.HashToUInt64(bytes);
                    if (isSource)
                    {
                        source.Add(hash);
                        return;
                    }

                    clonePages++;
                    changed += page < source.Count && source[(int)page] == hash ? 0 : 1;
                }, cancellationToken);
                report(files.Count);
            }

            return new CloneMemory(
                state, files.Count, files.Sum(file => file.Length), files.Sum(file => file.CountResident()), changed, clonePages, statistics);
        }
        finally
        {
            foreach (KernelPages file in files)
            {
                file.Drop();
                file.Dispose();
            }
        }
    }
}
