using StorageCache.Workloads.Hit;
using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Protect;

/// <summary>What protection costs: the first write to a shared page, and hits where frames may be shared and none is.</summary>
internal sealed class ProtectWorkload : IWorkload
{
    private const int HitPages = 65_536;
    private const int SmallPages = 3;
    private const double ZipfExponent = 0.99;

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
        int rounds = context.Rounds(quickRounds: 15, fullRounds: 41);
        int batches = context.Quick ? 1 : 2;
        await using SharingMappings mappings = await SharingMappings.CreateAsync(HitPages);
        HitComparison comparison = new(mappings);
        PagePattern[] patterns = [.. Patterns((batches + 1) * HitJob.BatchSize)];
        comparison.WarmUp(patterns[0]);
        foreach (PagePattern pattern in patterns)
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            context.Note($"protect: {rounds} rounds of hits, {pattern.Name}");
            comparison.Measure(pattern, rounds, batches, samples);
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

        RoundSamples? worst = null;
        foreach (string pattern in (string[])["zipf", "10kb"])
        {
            foreach (string lease in HitComparison.Leases)
            {
                RoundSamples off = samples[HitComparison.NameOf(pattern, lease, HitComparison.Off)];
                RoundSamples control = RoundSamples.Ratio(samples[HitComparison.NameOf(pattern, lease, HitComparison.Control)], off);
                report.Add($"protect.hit.{pattern}.{lease}.control_ratio_to_off", control, "time ratio");
                foreach (string variant in HitComparison.Variants)
                {
                    RoundSamples ratio = RoundSamples.Ratio(samples[HitComparison.NameOf(pattern, lease, variant)], off);
                    report.Add($"protect.hit.{pattern}.{lease}.{variant}_ratio_to_off", ratio, "time ratio", Target.AtMost(1.03));
                    worst = worst is null || ratio.Median > worst.Median ? ratio : worst;
                }
            }
        }

        report.Add("protect.hit_ratio_on_to_off", worst!, "time ratio", Target.AtMost(1.03));
        report.Add(
            "protect.break_ratio",
            RoundSamples.Ratio(samples["protect.break.ns"], samples["protect.break.bare_ns"]),
            "ratio",
            Target.AtMost(1.6));
    }
}
