using System.Globalization;
using StorageCache.Workloads.Disk;
using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Miss;

/// <summary>What a miss costs over the device: random reads of a file sixteen times the cache, beside fio on the same file.</summary>
internal sealed class MissWorkload : IWorkload
{
    private const int FilePerCache = 16;

    private const int RandomAccessDepth = 32;
    private const int SequentialBlock = 1 << 20;
    private const int SequentialDepth = 4;

    private static readonly int[] s_depths = [8, 32, 64, 128];

    /// <summary>Depths at which the ways to the thread pool are compared.</summary>
    private static readonly int[] s_poolDepths = [8, 32, 128];

    /// <summary>Depths at which reads into registered memory are compared with those into memory that is not.</summary>
    private static readonly int[] s_registeredDepths = [8, 32, 64];

    /// <inheritdoc/>
    public string Name => "miss";

    /// <inheritdoc/>
    public string Description => "random reads of a file 16 times the cache, at several depths, and sequential ones, beside fio and RandomAccess on the same file";

    /// <inheritdoc/>
    public async Task RunAsync(WorkloadContext context)
    {
        long memory = context.Quick ? 64L << 20 : 256L << 20;
        int rounds = context.Rounds(quickRounds: 3, fullRounds: 7);
        TimeSpan duration = TimeSpan.FromSeconds(context.Quick ? 0.7 : 2);
        context.Note($"miss: writing a file of {(memory * FilePerCache) >> 20} MiB");
        using StampedFile file = StampedFile.Create("miss", memory * FilePerCache / StampedFile.PageSize);
        await using CacheReads reads = await CacheReads.OpenAsync(file, memory, inline: true);
        await using CacheReads pooled = await CacheReads.OpenAsync(file, memory, inline: false);
        await using CacheReads registered = await CacheReads.OpenAsync(file, memory, inline: true, registers: true);
        if (!Fio.IsInstalled)
        {
            context.Note("miss: fio is not installed, so there are no ratios to it");
        }

        // Fills the cache, so that each further miss evicts, and brings the code to its final form.
        await reads.RandomAsync(depth: 32, TimeSpan.FromSeconds(2));
        await pooled.RandomAsync(depth: 32, TimeSpan.FromSeconds(2));
        await registered.RandomAsync(depth: 32, TimeSpan.FromSeconds(2));
        reads.RandomSync(TimeSpan.FromSeconds(0.3));

        Dictionary<string, RoundSamples> samples = [];
        for (int round = 0; round < rounds; round++)
        {
            foreach (int depth in s_depths)
            {
                context.CancellationToken.ThrowIfCancellationRequested();
                string name = string.Create(CultureInfo.InvariantCulture, $"miss.qd{depth}");
                DiskFigures ours = await reads.RandomAsync(depth, duration);
                Note(samples, $"{name}.iops", ours.PerSecond);
                Note(samples, $"{name}.cpu_us", ours.CpuMicroseconds);
                Note(samples, $"{name}.alloc_bytes", (double)ours.AllocatedBytes / ours.Operations);
                if (Fio.IsInstalled)
                {
                    DiskFigures fio = Fio.Run(file.Path, file.Length, "randread", StampedFile.PageSize, depth, duration);
                    Note(samples, $"{name}.fio_iops", fio.PerSecond);
                    Note(samples, $"{name}.fio_cpu_us", fio.CpuMicroseconds);
                }
            }

            foreach (int depth in s_registeredDepths)
            {
                // Beside each other, in turns, for what is compared is less than what a machine changes in a minute.
                string name = string.Create(CultureInfo.InvariantCulture, $"miss.qd{depth}");
                bool isFirst = (round & 1) == 0;
                DiskFigures one = await (isFirst ? registered : reads).RandomAsync(depth, duration);
                DiskFigures other = await (isFirst ? reads : registered).RandomAsync(depth, duration);
                Note(samples, $"{name}.registered_cpu_us", (isFirst ? one : other).CpuMicroseconds);
                Note(samples, $"{name}.unregistered_cpu_us", (isFirst ? other : one).CpuMicroseconds);
            }

            Note(samples, "miss.registered_part", registered.RegisteredShare);
            DiskFigures randomAccess = await RandomAccessReads.RunAsync(file, RandomAccessDepth, duration, seed: round * RandomAccessDepth);
            Note(samples, "miss.qd32.randomaccess_iops", randomAccess.PerSecond);
            Note(samples, "miss.qd32.randomaccess_cpu_us", randomAccess.CpuMicroseconds);
            DiskFigures beside = await reads.RandomAsync(RandomAccessDepth, duration);
            Note(samples, "miss.qd32.beside_randomaccess_cpu_us", beside.CpuMicroseconds);
            DiskFigures sequential = reads.SequentialSync(duration);
            Note(samples, "miss.sequential.mb_per_second", sequential.MegabytesPerSecond);
            Note(samples, "miss.sequential.cpu_us", sequential.CpuMicroseconds);
            if (Fio.IsInstalled)
            {
                DiskFigures fioSequential = Fio.Run(file.Path, file.Length, "read", SequentialBlock, SequentialDepth, duration);
                Note(samples, "miss.sequential.fio_mb_per_second", fioSequential.MegabytesPerSecond);
            }

            foreach (int depth in s_poolDepths)
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"miss.qd{depth}");
                DiskFigures together = await pooled.RandomAsync(depth, duration);
                Note(samples, $"{name}.pool_iops", together.PerSecond);
                Note(samples, $"{name}.pool_cpu_us", together.CpuMicroseconds);
                Note(samples, $"{name}.pool_alloc_bytes", (double)together.AllocatedBytes / together.Operations);
                DiskFigures singly = await reads.RandomAsync(depth, duration, hops: true);
                Note(samples, $"{name}.pool_singly_iops", singly.PerSecond);
                Note(samples, $"{name}.pool_singly_cpu_us", singly.CpuMicroseconds);
            }

            DiskFigures blocking = reads.RandomSync(duration);
            Note(samples, "miss.qd1.latency_us", blocking.LatencyMicroseconds);
            Note(samples, "miss.qd1.cpu_us", blocking.CpuMicroseconds);
            if (Fio.IsInstalled)
            {
                DiskFigures fio = Fio.Run(file.Path, file.Length, "randread", StampedFile.PageSize, 1, duration);
                Note(samples, "miss.qd1.fio_latency_us", fio.LatencyMicroseconds);
                Note(samples, "miss.qd1.fio_cpu_us", fio.CpuMicroseconds);
            }
        }

        Report(context.Report, samples);
    }

    private static void Report(Report report, Dictionary<string, RoundSamples> samples)
    {
        foreach ((string name, RoundSamples values) in samples)
        {
            report.Add(name, values, UnitOf(name));
        }

        report.Add(
            "miss.qd32.cpu_ratio_randomaccess_to_ours",
            RoundSamples.Ratio(samples["miss.qd32.randomaccess_cpu_us"], samples["miss.qd32.beside_randomaccess_cpu_us"]),
            "ratio",
            Target.AtLeast(3));

        foreach (int depth in s_poolDepths)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"miss.qd{depth}");
            RoundSamples pool = samples[$"{name}.pool_cpu_us"];
            report.Add($"{name}.pool_cpu_ratio_to_inline", RoundSamples.Ratio(pool, samples[$"{name}.cpu_us"]), "ratio");
            report.Add($"{name}.pool_singly_cpu_ratio_to_pool", RoundSamples.Ratio(samples[$"{name}.pool_singly_cpu_us"], pool), "ratio");
        }

        foreach (int depth in s_registeredDepths)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"miss.qd{depth}");
            report.Add($"{name}.cpu_ratio_registered", RoundSamples.Ratio(samples[$"{name}.registered_cpu_us"], samples[$"{name}.unregistered_cpu_us"]), "ratio");
        }

        if (!Fio.IsInstalled)
        {
            return;
        }

        foreach (int depth in s_depths)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"miss.qd{depth}");
            report.Add($"{name}.iops_ratio_to_fio", RoundSamples.Ratio(samples[$"{name}.iops"], samples[$"{name}.fio_iops"]), "ratio", Target.AtLeast(0.92));
            report.Add(
                $"{name}.cpu_ratio_to_fio",
                RoundSamples.Ratio(samples[$"{name}.cpu_us"], samples[$"{name}.fio_cpu_us"]),
                "ratio",
                depth >= 32 ? Target.AtMost(1.5) : null);
        }

        report.Add(
            "miss.sequential.ratio_to_fio",
            RoundSamples.Ratio(samples["miss.sequential.mb_per_second"], samples["miss.sequential.fio_mb_per_second"]),
            "ratio",
            Target.AtLeast(0.92));
        report.Add("miss.qd1.latency_ratio_to_fio", RoundSamples.Ratio(samples["miss.qd1.latency_us"], samples["miss.qd1.fio_latency_us"]), "ratio", Target.AtMost(1.15));
    }

    private static string UnitOf(string name) => name[(name.LastIndexOf('_') + 1)..] switch
    {
        "second" => "MB/s",
        "bytes" => "bytes",
        "us" => "us",
        "part" => "part",
        _ => "1/s",
    };

    private static void Note(Dictionary<string, RoundSamples> samples, string name, double value)
    {
        if (!samples.TryGetValue(name, out RoundSamples? values))
        {
            samples.Add(name, values = new RoundSamples());
        }

        values.Add(value);
    }
}
