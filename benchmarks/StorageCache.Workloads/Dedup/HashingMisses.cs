using StorageCache.Workloads.Disk;
using StorageCache.Workloads.Miss;
using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Dedup;

/// <summary>
/// Random reads of a file with direct I/O through a cache that hashes what it reads, in turns with the same reads through one that does
/// not. No two pages of the file are equal, so there is nothing to gain.
/// </summary>
internal static class HashingMisses
{
    private const int Depth = 32;
    private const int FilePerCache = 16;

    /// <summary>Measures, in so many rounds; every other one begins with the other cache.</summary>
    public static async Task MeasureAsync(WorkloadContext context, NamedSamples samples)
    {
        long memory = context.Quick ? 64L << 20 : 256L << 20;
        int rounds = context.Rounds(quickRounds: 14, fullRounds: 30);
        TimeSpan duration = TimeSpan.FromSeconds(context.Quick ? 0.5 : 1);
        context.Note($"dedup: writing a file of {(memory * FilePerCache) >> 20} MiB, and {rounds} rounds of misses");
        using StampedFile file = StampedFile.Create("dedup", memory * FilePerCache / StampedFile.PageSize);
        await using CacheReads off = await CacheReads.OpenAsync(file, memory, inline: true);
        await using CacheReads on = await CacheReads.OpenAsync(file, memory, inline: true, domain: new SharingDomain("dedup") { SharesContent = true });

        // Fills the caches, so that each further miss evicts, and brings the code to its final form.
        await off.RandomAsync(Depth, TimeSpan.FromSeconds(2));
        await on.RandomAsync(Depth, TimeSpan.FromSeconds(2));
        for (int round = 0; round < rounds; round++)
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            bool isOnFirst = int.IsOddInteger(round);
            PageCacheStatistics before = on.Statistics;
            DiskFigures first = await (isOnFirst ? on : off).RandomAsync(Depth, duration);
            DiskFigures second = await (isOnFirst ? off : on).RandomAsync(Depth, duration);
            PageCacheStatistics after = on.Statistics;
            (DiskFigures hashed, DiskFigures plain) = isOnFirst ? (first, second) : (second, first);
            long pages = after.PagesHashed - before.PagesHashed;
            if (pages < hashed.Operations * 0.9)
            {
                throw new WorkloadFailedException($"of {hashed.Operations} pages that were read only {pages} were hashed");
            }

            samples.Add("dedup.miss.on_iops", hashed.PerSecond);
            samples.Add("dedup.miss.off_iops", plain.PerSecond);
            samples.Add("dedup.miss.on_cpu_us", hashed.CpuMicroseconds);
            samples.Add("dedup.miss.off_cpu_us", plain.CpuMicroseconds);
            samples.Add("dedup.miss.hash_us", (after.HashTime - before.HashTime).TotalMicroseconds / pages);
        }
    }
}
