using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Hit;

/// <summary>
/// What a hit costs: every kind of lease beside the same lease in plain C, a ConcurrentDictionary and a MemoryCache, over
/// 1 GiB of resident pages and over a set that fits the processor's first-level cache.
/// </summary>
internal sealed class HitWorkload : IWorkload
{
    private const int PageCount = 262_144;
    private const int SmallPageCount = 3; // 10 KB, in whole pages
    private const double ZipfExponent = 0.99;
    private const int ScatterSeed = 11;

    /// <inheritdoc/>
    public string Name => "hit";

    /// <inheritdoc/>
    public string Description => "a hit with each kind of lease, beside bare C, ConcurrentDictionary and MemoryCache";

    /// <inheritdoc/>
    public async Task RunAsync(WorkloadContext context)
    {
        int rounds = context.Rounds(quickRounds: 9, fullRounds: 31);
        int batches = context.Quick ? 1 : 4;
        await using HitResident resident = await HitResident.CreateAsync(PageCount);
        if (resident.BareMissingReason is { } reason)
        {
            context.Note($"hit: the bare columns are skipped, because {reason}.");
        }

        HitVariants variants = new(resident);
        HitWarmUp.Run(variants, PageCount);
        foreach (PagePattern pattern in Patterns((batches * 2) + 1))
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            context.Note($"hit: {pattern.Name}, {rounds} rounds of {batches * HitJob.BatchSize:N0} operations per thread");
            HitBlock block = new(pattern, variants);
            long missesBefore = resident.Misses;
            block.Measure(rounds, batches);
            if (resident.Misses != missesBefore)
            {
                throw new WorkloadFailedException($"{resident.Misses - missesBefore} misses in {pattern.Name}, where every page is resident.");
            }

            block.Report(context.Report);
        }

        resident.Verify();
    }

    private static IEnumerable<PagePattern> Patterns(int batches)
    {
        int length = batches * HitJob.BatchSize;
        int[][] zipf = [Zipf(length, 1), Zipf(length, 2)];
        yield return new PagePattern("zipf.1t", [zipf[0]]);
        yield return new PagePattern("zipf.2t", zipf);
        int[][] uniform = [PageSequence.Uniform(PageCount, length, 1), PageSequence.Uniform(PageCount, length, 2)];
        yield return new PagePattern("uniform.1t", [uniform[0]]);
        yield return new PagePattern("uniform.2t", uniform);
        yield return new PagePattern("10kb.1t", [PageSequence.Uniform(SmallPageCount, length, 3)]);
    }

    private static int[] Zipf(int length, int seed) => PageSequence.Zipf(PageCount, ZipfExponent, length, seed, ScatterSeed);
}
