using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Dedup;

/// <summary>
/// What sharing by content saves, and what it costs: equal files that are read, misses that are hashed for nothing, and pages that are
/// found to be equal later, beside the kernel's samepage merging on the same bytes.
/// </summary>
internal sealed class DedupWorkload : IWorkload
{
    private const int Copies = 8;
    private const int ScanPagesPerSecond = 100_000;

    /// <inheritdoc/>
    public string Name => "dedup";

    /// <inheritdoc/>
    public string Description => "equal files without reflinks, misses with hashing beside misses without, and the scan beside the kernel's samepage merging (which needs root)";

    /// <inheritdoc/>
    public async Task RunAsync(WorkloadContext context)
    {
        NamedSamples samples = new();
        int pages = (context.Quick ? 16 << 20 : 64 << 20) / ScanMerge.PageSize;
        int rounds = context.Rounds(quickRounds: 3, fullRounds: 5);
        for (int round = 0; round < rounds; round++)
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            (double frames, double memory) = await EqualFiles.MeasureAsync(Copies, pages, seed: round);
            samples.Add("dedup.frames_ratio", frames);
            samples.Add("dedup.memory_ratio", memory);
        }

        await HashingMisses.MeasureAsync(context, samples);
        await MeasureScanAsync(context, pages, rounds, samples);
        Report(context.Report, samples);
    }

    private static async Task MeasureScanAsync(WorkloadContext context, int pages, int rounds, NamedSamples samples)
    {
        context.Note($"dedup: {rounds} rounds of {Copies} copies of {pages:N0} pages that are in memory already, at {ScanPagesPerSecond:N0} pages a second");
        byte[] bytes = new byte[pages * ScanMerge.PageSize];
        string? whyNot = null;
        for (int round = 0; round < rounds; round++)
        {
            new Random(round).NextBytes(bytes);
            MergeFigures ours = await ScanMerge.RunAsync(Copies, bytes, ScanPagesPerSecond, context.CancellationToken);
            samples.Add("dedup.scan.seconds", ours.Seconds);
            samples.Add("dedup.scan.cpu_seconds", ours.CpuSeconds);
            if (whyNot is null && KsmMerge.TryRun(Copies, bytes, ScanPagesPerSecond, out whyNot, context.CancellationToken) is { } kernel)
            {
                samples.Add("dedup.ksm.seconds", kernel.Seconds);
                samples.Add("dedup.ksm.cpu_seconds", kernel.CpuSeconds);
            }
        }

        if (whyNot is not null)
        {
            context.Note($"dedup: the kernel's samepage merging is not measured: {whyNot}");
        }
    }

    private static void Report(Report report, NamedSamples samples)
    {
        foreach (string name in samples.Names)
        {
            report.Add(name, samples[name], UnitOf(name), name == "dedup.frames_ratio" ? Target.AtMost(1.01) : null);
        }

        report.Add("dedup.miss_ratio_on_to_off", RoundSamples.Ratio(samples["dedup.miss.on_iops"], samples["dedup.miss.off_iops"]), "ratio", Target.AtLeast(0.93));
        report.Add("dedup.miss.cpu_ratio_on_to_off", RoundSamples.Ratio(samples["dedup.miss.on_cpu_us"], samples["dedup.miss.off_cpu_us"]), "ratio");

        // Only where the kernel was measured in every round do the rounds belong to each other.
        if (samples.Contains("dedup.ksm.seconds") && samples["dedup.ksm.seconds"].Count == samples["dedup.scan.seconds"].Count)
        {
            report.Add("dedup.scan.seconds_ratio_to_ksm", RoundSamples.Ratio(samples["dedup.scan.seconds"], samples["dedup.ksm.seconds"]), "ratio");
            report.Add("dedup.scan.cpu_ratio_to_ksm", RoundSamples.Ratio(samples["dedup.scan.cpu_seconds"], samples["dedup.ksm.cpu_seconds"]), "ratio");
        }
    }

    private static string UnitOf(string name) => name[(name.LastIndexOf('_') + 1)..] switch
    {
        "ratio" => "copies",
        "iops" => "1/s",
        "us" => "us",
        _ => "s",
    };
}
