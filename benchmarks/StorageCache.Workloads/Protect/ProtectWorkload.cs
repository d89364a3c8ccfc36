using StorageCache.Workloads.Disk;
using StorageCache.Workloads.Hit;
using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Protect;

/// <summary>What protection costs: the first write to a shared page, and hits where frames may be shared and none is.</summary>
internal sealed class ProtectWorkload : IWorkload
{
    private const int HitPages = 1024;
    private const int SmallPages = 3;
    private const double ZipfExponent = 0.99;
    private const int RoundsPerPlacement = 1;
    private const long FileSystemBytes = 1L << 30;

    private static readonly string[] s_patterns = ["zipf", "10kb"];

    /// <inheritdoc/>
    public string Name => "protect";

    /// <inheritdoc/>
    public string Description => "a break from a shared frame beside a bare copy, and hits with sharing on beside hits with sharing off";

    /// <inheritdoc/>
    public async Task RunAsync(WorkloadContext context)
    {
        NamedSamples samples = new();
        await MeasureBreaksAsync(context, samples);
        await MeasureHitsAsync(context, samples);
        Report(context.Report, samples);
    }

    private static async Task MeasureBreaksAsync(WorkloadContext context, NamedSamples samples)
    {
        int pages = context.Quick ? 16_384 : 32_768;
        int rounds = context.Rounds(quickRounds: 15, fullRounds: 31);
        context.Note($"protect: {rounds} rounds of {pages:N0} breaks");
        await using SharedPages shared = await SharedPages.CreateAsync(pages);
        using BreakComparison comparison = new(shared, pages);
        NamedSamples unmeasured = new();
        for (int round = 0; round < 5; round++)
        {
            comparison.Round(unmeasured);

            // The runtime compiles again, optimised for what it saw, a while after.
            await Task.Delay(250, context.CancellationToken);
        }

        for (int round = 0; round < rounds; round++)
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            comparison.Round(samples);
        }
    }

    private static async Task MeasureHitsAsync(WorkloadContext context, NamedSamples samples)
    {
        int rounds = context.Rounds(quickRounds: 32, fullRounds: 96);
        const int Batches = 1;
        using LoopFileSystem? fileSystem = TryMount(context);
        using StampedFile? file = fileSystem is null ? null : StampedFile.CreateAt(fileSystem.PathOf("pages"), HitPages);
        PagePattern[] patterns = [.. Patterns((Batches + 1) * HitJob.BatchSize)];
        context.Note($"protect: {rounds} rounds of hits, everything placed anew for each {RoundsPerPlacement}");
        for (int round = 0; round < rounds; round += RoundsPerPlacement)
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            await using SharingMappings mappings = await SharingMappings.CreateAsync(HitPages, file, placement: round);
            if (round == 0)
            {
                HitComparison.WarmUp(mappings, patterns[0]);
            }

            foreach (PagePattern pattern in patterns)
            {
                HitComparison.Measure(mappings, pattern, Math.Min(RoundsPerPlacement, rounds - round), Batches, samples);
            }
        }
    }

    private static LoopFileSystem? TryMount(WorkloadContext context)
    {
        try
        {
            return LoopFileSystem.Mount("xfs", FileSystemBytes);
        }
        catch (WorkloadFailedException failure)
        {
            context.Note($"protect: 'extents' is over a device without any, for {failure.Message}");
            return null;
        }
    }

    private static IEnumerable<PagePattern> Patterns(int length)
    {
        yield return new PagePattern("zipf", [PageSequence.Zipf(HitPages, ZipfExponent, length, seed: 1, scatterSeed: 11)]);
        yield return new PagePattern("10kb", [PageSequence.Uniform(SmallPages, length, seed: 3)]);
    }

    private static void Report(Report report, NamedSamples samples)
    {
        foreach (string name in samples.Names)
        {
            report.Add(name, samples[name], "ns");
        }

        foreach (string pattern in s_patterns)
        {
            foreach (string lease in HitComparison.Leases)
            {
                report.Add($"protect.hit.{pattern}.{lease}.control_ratio_to_off", RatioToOff(samples, pattern, lease, HitComparison.Control), "time ratio");
                foreach (string variant in HitComparison.Variants)
                {
                    report.Add($"protect.hit.{pattern}.{lease}.{variant}_ratio_to_off", RatioToOff(samples, pattern, lease, variant), "time ratio", Target.AtMost(1.03));
                }
            }
        }

        report.Add("protect.hit_ratio_control_to_off", Overall(samples, HitComparison.Control), "time ratio");
        RoundSamples worst = HitComparison.Variants.Select(variant => Overall(samples, variant)).MaxBy(ratios => ratios.Median)!;
        report.Add("protect.hit_ratio_on_to_off", worst, "time ratio", Target.AtMost(1.03));
        report.Add(
            "protect.break_ratio",
            RoundSamples.Ratio(samples["protect.break.ns"], samples["protect.break.bare_ns"]),
            "ratio",
            Target.AtMost(1.6));
    }

    private static RoundSamples RatioToOff(NamedSamples samples, string pattern, string lease, string variant) => RoundSamples.Ratio(
        samples[HitComparison.NameOf(pattern, lease, variant)],
        samples[HitComparison.NameOf(pattern, lease, HitComparison.Off)]);

    /// <summary>Each round's geometric mean over all patterns and kinds of lease.</summary>
    private static RoundSamples Overall(NamedSamples samples, string variant) => RoundSamples.GeometricMean(
        [.. from pattern in s_patterns from lease in HitComparison.Leases select RatioToOff(samples, pattern, lease, variant)]);
}
