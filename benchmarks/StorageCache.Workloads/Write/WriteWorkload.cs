using StorageCache.Workloads.Disk;
using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Write;

/// <summary>What write-back gets out of the device: random and sequential changes, beside fio on the same file.</summary>
internal sealed class WriteWorkload : IWorkload
{
    private const int FilePerCache = 16;
    private const int RandomDepth = 64;
    private const int SequentialBlock = 1 << 20;
    private const int SequentialDepth = 4;

    /// <inheritdoc/>
    public string Name => "write";

    /// <inheritdoc/>
    public string Description => "write-back of random and of sequential changes to a file 16 times the cache, beside fio on the same file";

    /// <inheritdoc/>
    public async Task RunAsync(WorkloadContext context)
    {
        long memory = context.Quick ? 64L << 20 : 256L << 20;
        int rounds = context.Rounds(quickRounds: 3, fullRounds: 7);
        TimeSpan duration = TimeSpan.FromSeconds(context.Quick ? 2 : 5);
        context.Note($"write: writing a file of {(memory * FilePerCache) >> 20} MiB");
        using StampedFile file = StampedFile.Create("write", memory * FilePerCache / StampedFile.PageSize);
        await using CacheWrites writes = await CacheWrites.OpenAsync(file, memory);
        RoundSamples random = new();
        RoundSamples randomFio = new();
        RoundSamples randomCpu = new();
        RoundSamples allocated = new();
        RoundSamples sequential = new();
        RoundSamples sequentialFio = new();
        for (int round = 0; round < rounds; round++)
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            DiskFigures figures = writes.Random(duration);
            random.Add(figures.PerSecond);
            randomCpu.Add(figures.CpuMicroseconds);
            allocated.Add((double)figures.AllocatedBytes / figures.Operations);
            sequential.Add(writes.Sequential(duration).MegabytesPerSecond);
            if (Fio.IsInstalled)
            {
                randomFio.Add(Fio.Run(file.Path, file.Length, "randwrite", StampedFile.PageSize, RandomDepth, duration).PerSecond);
                sequentialFio.Add(Fio.Run(file.Path, file.Length, "write", SequentialBlock, SequentialDepth, duration).MegabytesPerSecond);
            }
        }

        Report report = context.Report;
        report.Add("write.random.pages_per_second", random, "1/s");
        report.Add("write.random.cpu_us", randomCpu, "us");
        report.Add("write.random.alloc_bytes", allocated, "bytes");
        report.Add("write.sequential.mb_per_second", sequential, "MB/s");
        if (Fio.IsInstalled)
        {
            report.Add("write.random.fio_per_second", randomFio, "1/s");
            report.Add("write.sequential.fio_mb_per_second", sequentialFio, "MB/s");
            report.Add("write.random.ratio_to_fio", RoundSamples.Ratio(random, randomFio), "ratio", Target.AtLeast(0.9));
            report.Add("write.sequential.ratio_to_fio", RoundSamples.Ratio(sequential, sequentialFio), "ratio", Target.AtLeast(0.92));
        }
        else
        {
            context.Note("write: fio is not installed, so there are no ratios to it");
        }
    }
}
