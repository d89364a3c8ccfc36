using StorageCache.Workloads.Disk;
using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Clones;

/// <summary>What clones of a file take: frames, reads and memory, beside what they take in the kernel's page cache.</summary>
internal sealed class ClonesWorkload : IWorkload
{
    private const int FewClones = 8;
    private const int ManyClones = 100;
    private const long PagesPerFile = (64L << 20) / StampedFile.PageSize;
    private const double DivergedPart = 0.1;

    /// <summary>One copy, and 3 % of one for each further clone.</summary>
    private const double MemoryOfMany = 3.97;
    private const long FileSystemBytes = 4L << 30;

    private static readonly string[] s_fileSystems = ["xfs", "btrfs"];

    /// <inheritdoc/>
    public string Name => "clones";

    /// <inheritdoc/>
    public string Description => "reflinked files on XFS and btrfs: frames, reads and memory that they take, beside the kernel's page cache; needs root";

    /// <inheritdoc/>
    public async Task RunAsync(WorkloadContext context)
    {
        int rounds = context.Rounds(quickRounds: 1, fullRounds: 3);
        NamedSamples samples = new();
        foreach (string type in s_fileSystems)
        {
            using LoopFileSystem fileSystem = LoopFileSystem.Mount(type, FileSystemBytes);
            context.Note($"clones: {rounds} rounds on {type}, over a loop device with {(fileSystem.IsDirect ? "direct" : "buffered")} I/O");
            using StampedFile original = StampedFile.CreateAt(fileSystem.PathOf("original"), PagesPerFile, new Random(1));
            for (int round = 0; round < rounds; round++)
            {
                context.CancellationToken.ThrowIfCancellationRequested();
                await MeasureFewAsync(fileSystem, original, round, samples);
                await MeasureManyAsync(fileSystem, original, samples);
            }
        }

        foreach (string name in samples.Names)
        {
            context.Report.Add(name, samples[name], "copies", TargetOf(name));
        }
    }

    private static async Task MeasureFewAsync(LoopFileSystem fileSystem, StampedFile original, int round, NamedSamples samples)
    {
        string prefix = $"clones.{fileSystem.Type}";
        using CloneFiles files = CloneFiles.Create(fileSystem, original, FewClones);
        samples.Add($"{prefix}.kernel_ratio", KernelCopies(files, original));
        await using CloneReads reads = await CloneReads.OpenAsync(files, original, original.Length * 4);
        long before = fileSystem.DeviceBytesRead;
        reads.ReadAll();
        samples.Add($"{prefix}.frames_ratio", reads.FrameCopies);
        samples.Add($"{prefix}.device_reads_ratio", reads.ReadCopies);
        samples.Add($"{prefix}.block_device_reads_ratio", (fileSystem.DeviceBytesRead - before) / (double)original.Length);
        await reads.DivergeAsync(DivergedPart, round);
        reads.VerifyResident();
        samples.Add($"{prefix}.frames_ratio_diverged", reads.FrameCopies);
    }

    private static async Task MeasureManyAsync(LoopFileSystem fileSystem, StampedFile original, NamedSamples samples)
    {
        string prefix = $"clones.{fileSystem.Type}";
        using CloneFiles files = CloneFiles.Create(fileSystem, original, ManyClones);

        // Twice what it is to be at most, so that nothing is evicted to stay below it.
        await using CloneReads reads = await CloneReads.OpenAsync(files, original, original.Length * 8);
        reads.Read(0);
        samples.Add($"{prefix}.memory_ratio_1", reads.MemoryCopies);
        reads.ReadAll();
        samples.Add($"{prefix}.memory_ratio_100", reads.MemoryCopies);
        samples.Add($"{prefix}.device_reads_ratio_100", reads.ReadCopies);
        reads.VerifyResident();
    }

    /// <summary>What the kernel's page cache has of the files when each has been read, in copies of one.</summary>
    private static double KernelCopies(CloneFiles files, StampedFile original)
    {
        foreach (string path in files.Paths)
        {
            KernelPageCache.Read(path);
        }

        long resident = files.Paths.Sum(KernelPageCache.ResidentBytes);
        foreach (string path in files.Paths)
        {
            KernelPageCache.Forget(path);
        }

        return resident / (double)original.Length;
    }

    private static Target? TargetOf(string name) => name[(name.LastIndexOf('.') + 1)..] switch
    {
        "frames_ratio" or "device_reads_ratio" or "block_device_reads_ratio" => Target.AtMost(1.01),
        "frames_ratio_diverged" => Target.AtMost(1.82),
        "memory_ratio_100" => Target.AtMost(MemoryOfMany),
        _ => null,
    };
}
