using System.Globalization;
using Spectre.Console;
using StorageCache.KeyValueStore.Cli.Loading;

namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>The demonstration's tables.</summary>
internal static class DemoReport
{
    private const double Megabyte = 1_000_000;

    /// <summary>The part of files just read that a kernel has in memory which has evicted none of it.</summary>
    private const double KeptByKernel = 0.99;

    public static void WriteStore(KeyValueStoreStatistics statistics)
    {
        Table table = Terminal.CreateTable("the store", "entries", "height", "leaves", "branches", "overflow", "maps", "free", "page size", "file MB");
        table.AddRow(
            Number(statistics.Entries), Number(statistics.Height), Number(statistics.LeafPages), Number(statistics.BranchPages),
            Number(statistics.OverflowPages), Number(statistics.MapPages), Number(statistics.FreePages), Number(statistics.PageSize),
            Decimal(statistics.PageCount * (double)statistics.PageSize / Megabyte));
        Terminal.Output.Write(table);
    }

    public static void WritePhases(IReadOnlyList<Phase> phases)
    {
        Table table = Terminal.CreateTable("the phases", "phase", "seconds", "MB/s", "hits", "misses", "hit ratio", "evictions", "MB read", "MB written");
        foreach (Phase phase in phases)
        {
            PageCacheStatistics from = phase.Before;
            PageCacheStatistics to = phase.After;
            double speed = phase.Bytes / Megabyte / Math.Max(phase.Duration.TotalSeconds, 1e-6);
            table.AddRow(
                phase.Name, Decimal(phase.Duration.TotalSeconds), phase.Bytes == 0 ? "" : Decimal(speed),
                Number(to.Hits - from.Hits), Number(to.Misses - from.Misses), Ratio(to.Hits - from.Hits, to.Misses - from.Misses),
                Number(to.Evictions - from.Evictions), Decimal((to.BytesRead - from.BytesRead) / Megabyte), Decimal((to.BytesWritten - from.BytesWritten) / Megabyte));
        }

        Terminal.Output.Write(table);
    }

    public static void WriteCache(PageCacheStatistics statistics, long limit)
    {
        Table table = Terminal.CreateTable("the cache", "", "");
        table.HideHeaders();
        Add("memory limit (bytes)", Number(limit));
        Add("hits", Number(statistics.Hits));
        Add("misses", Number(statistics.Misses));
        Add("hit ratio", Ratio(statistics.Hits, statistics.Misses));
        Add("evictions", Number(statistics.Evictions));
        Add("reads", Number(statistics.Reads));
        Add("bytes read", Number(statistics.BytesRead));
        Add("writes", Number(statistics.Writes));
        Add("bytes written", Number(statistics.BytesWritten));
        Add("breaks", Number(statistics.Breaks));
        Add("waits", Number(statistics.Waits));
        Add("dirty pages left", Number(statistics.DirtyPages));
        Terminal.Output.Write(table);

        void Add(string name, string value) => table.AddRow(name, value);
    }

    /// <summary>Writes what a store and its clones took in memory, in the kernel's page cache and in this one.</summary>
    /// <param name="measures">First the store alone, then with its clones.</param>
    /// <param name="clones">How many.</param>
    /// <param name="chosen">Files in the store.</param>
    /// <param name="files">Files that there were.</param>
    public static void WriteClones(IReadOnlyList<CloneMemory> measures, int clones, int chosen, int files)
    {
        Table table = Terminal.CreateTable(
            $"memory for a store and {clones} clones of it, read in full (MB)",
            "", "files", "kernel", "times", "this cache", "times", "frames shared", "saved", "read", "breaks", "changed");
        CloneMemory one = measures[0];
        foreach (CloneMemory measure in measures)
        {
            table.AddRow(
                measure.State, Tenths(measure.FileBytes), Tenths(measure.KernelBytes), Times(measure.KernelBytes, one.KernelBytes),
                Tenths(measure.Cache.MemoryUsed), Times(measure.Cache.MemoryUsed, one.Cache.MemoryUsed), Number(measure.Cache.SharedFrames),
                Tenths(measure.Cache.BytesSaved), Tenths(measure.Cache.BytesRead), Number(measure.Cache.Breaks),
                measure.ClonePages == 0 ? "" : ((double)measure.ChangedPages / measure.ClonePages).ToString("P1", CultureInfo.InvariantCulture));
        }

        Terminal.Output.Write(table);
        Console.WriteLine($"The store holds {chosen} of {files} files. All values were read through one cache and compared with what was put.");
        Console.WriteLine("The kernel's page cache: the same files read with buffered reads, their pages counted with mincore(2), and dropped again.");
        if (measures.Any(measure => measure.KernelBytes < measure.FileBytes * KeptByKernel))
        {
            Console.WriteLine("The kernel had evicted some pages by the time they were counted.");
        }
    }

    /// <summary>Writes which files were left out, and which were not the same throughout.</summary>
    public static void WriteFiles(FileLoader loader, IReadOnlyCollection<string> changed)
    {
        foreach (SkippedFile skipped in loader.Skipped)
        {
            ErrorReporting.Warn($"left out {skipped}");
        }

        foreach (string path in loader.Changed)
        {
            ErrorReporting.Warn($"changed while it was read: {path}");
        }

        foreach (string file in changed)
        {
            ErrorReporting.Warn($"changed since it was read, and compared with what was read: {file}");
        }

        Console.WriteLine($"left out {SkippedFile.Summarize(loader.Skipped)}");
        Console.WriteLine($"changed while read {loader.Changed.Count}, changed since and not verified against the file {changed.Count}");
    }

    /// <summary>Writes the peak of the resident set beside what it may be. True when it fits, or nobody knows.</summary>
    public static bool WriteMemory(long? peak, long limit, long allowance)
    {
        if (peak is not { } bytes)
        {
            Console.WriteLine("peak resident set: not known on this system");
            return true;
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"peak resident set: {bytes / Megabyte:N1} MB; allowed: cache limit {limit / Megabyte:N1} MB + {allowance / Megabyte:N0} MB = {(limit + allowance) / Megabyte:N1} MB"));
        return bytes <= limit + allowance;
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Decimal(double value) => value.ToString("N2", CultureInfo.InvariantCulture);

    private static string Tenths(double bytes) => (bytes / Megabyte).ToString("N1", CultureInfo.InvariantCulture);

    private static string Times(double bytes, double one) => one == 0 ? "" : Decimal(bytes / one);

    private static string Ratio(long hits, long misses) =>
        hits + misses == 0 ? "" : ((double)hits / (hits + misses)).ToString("P2", CultureInfo.InvariantCulture);
}
