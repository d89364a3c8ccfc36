using System.Diagnostics;
using StorageCache.Workloads.Memory;

namespace StorageCache.Workloads.Dedup;

/// <summary>The same bytes in anonymous memory, merged by the kernel.</summary>
internal static class KsmMerge
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    /// <summary>Fills memory with several copies and waits until the kernel has merged them.</summary>
    /// <param name="copies">How many copies.</param>
    /// <param name="bytes">What each holds.</param>
    /// <param name="pagesPerSecond">The kernel's pace.</param>
    /// <param name="whyNot">Why there are no figures, or null.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static MergeFigures? TryRun(int copies, byte[] bytes, int pagesPerSecond, out string? whyNot, CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsLinux() || KsmThread.TryFind() is not { } thread)
        {
            whyNot = "there is no thread of it";
            return null;
        }

        using KsmSettings? settings = KsmSettings.TryStart(pagesPerSecond, out whyNot);
        if (settings is null)
        {
            return null;
        }

        MergeFigures? figures = TryMeasure(thread, copies, bytes, out whyNot, cancellationToken);
        KsmSettings.AwaitSettled();
        return figures;
    }

    private static MergeFigures? TryMeasure(KsmThread thread, int copies, byte[] bytes, out string? whyNot, CancellationToken cancellationToken)
    {
        using MergeableMemory memory = new(bytes.LongLength * copies);
        for (int copy = 0; copy < copies; copy++)
        {
            bytes.CopyTo(memory.Slice(bytes.LongLength * copy, bytes.Length));
        }

        long expected = KsmSettings.PagesSharing + ((copies - 1L) * bytes.Length / Environment.SystemPageSize);
        double cpu = thread.CpuSeconds;
        long began = Stopwatch.GetTimestamp();
        if (!memory.TryMakeMergeable())
        {
            whyNot = "memory cannot be made mergeable";
            return null;
        }

        while (KsmSettings.PagesSharing < expected)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (Stopwatch.GetElapsedTime(began) > s_limit)
            {
                whyNot = $"it had merged {KsmSettings.PagesSharing} of {expected} pages after {s_limit.TotalSeconds} s";
                return null;
            }

            Thread.Sleep(2);
        }

        whyNot = null;
        return new MergeFigures(Stopwatch.GetElapsedTime(began).TotalSeconds, thread.CpuSeconds - cpu);
    }
}
