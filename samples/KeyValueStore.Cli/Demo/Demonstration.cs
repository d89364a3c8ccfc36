using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>
/// Puts every file of a directory into a fresh store whose cache is an eighth of the data, reads everything back, compares it, scans it, and checks the tree.
/// </summary>
internal sealed class Demonstration(DemoOptions options)
{
    private const long LeastCacheSize = 2L << 20;
    private const long LeastCachePages = 128;
    private const int DefaultPageSize = 4096;

    /// <summary>What the process may take beside the cache: the runtime, this program, and its few buffers.</summary>
    private const long MemoryBesideCache = 150_000_000;

    private readonly List<Phase> _phases = [];
    private readonly ConcurrentQueue<string> _differences = [];
    private long _verifiedFiles;
    private long _verifiedBytes;

    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        FileTree tree = FileTree.Read(options.Directory ?? DotnetDirectory.Find());
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{tree.Root}: {tree.Files.Count:N0} files, {tree.TotalBytes:N0} bytes, {tree.Links:N0} symbolic links not followed"));
        string directory = Directory.CreateTempSubdirectory("kv-demo-").FullName;
        try
        {
            return await RunAsync(tree, Path.Combine(directory, "demo.kv"), cancellationToken);
        }
        finally
        {
            if (options.Keep)
            {
                Console.Error.WriteLine($"kv: the store is kept in {directory}");
            }
            else
            {
                Directory.Delete(directory, recursive: true);
            }
        }
    }

    private async Task<int> RunAsync(FileTree tree, string path, CancellationToken cancellationToken)
    {
        int pageSize = options.PageSize != 0 ? options.PageSize : DefaultPageSize;
        long least = Math.Max(LeastCacheSize, LeastCachePages * pageSize);
        long cacheSize = options.CacheSize != 0 ? options.CacheSize : Math.Max(tree.TotalBytes / 8, least);
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = cacheSize, PageSize = pageSize });
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(
            cache, path, new KeyValueStoreOptions { Mode = MappingMode.CreateNew }, cancellationToken))
        {
            await RunPhaseAsync(cache, "load", tree.TotalBytes, report => LoadAsync(store, tree, report, cancellationToken));
            if (options.PlantDifference)
            {
                await PlantAsync(store, tree, cancellationToken);
            }

            await RunPhaseAsync(cache, "read and compare", tree.TotalBytes, report => CompareAsync(store, tree, report, cancellationToken));
            await RunPhaseAsync(cache, "scan forward", tree.Files.Count, report => ScanAsync(store, tree, reverse: false, report, cancellationToken));
            await RunPhaseAsync(cache, "scan backward", tree.Files.Count, report => ScanAsync(store, tree, reverse: true, report, cancellationToken));
            await RunPhaseAsync(cache, "check", store.GetStatistics().PageCount, report => CheckAsync(store, report, cancellationToken));
            DemoReport.WriteStore(store.GetStatistics());
        }

        DemoReport.WritePhases(_phases);
        DemoReport.WriteCache(cache.GetStatistics(), cacheSize);
        bool fits = DemoReport.WriteMemory(ProcessMemory.PeakResidentSet(), cacheSize, MemoryBesideCache);
        if (!fits)
        {
            ErrorReporting.Report("the peak resident set is above the cache's limit and 150 MB", ExitCode.Negative);
        }

        foreach (string skipped in tree.Skipped)
        {
            Console.Error.WriteLine($"kv: left out {skipped}");
        }

        if (tree.Skipped.Count > 0)
        {
            Console.WriteLine($"left out {tree.Skipped.Count} files");
        }

        foreach (string difference in _differences.Take(20))
        {
            Console.Error.WriteLine($"kv: {difference}");
        }

        Console.WriteLine($"verified {_verifiedFiles} files, {_verifiedBytes} bytes, {_differences.Count} differences");
        return _differences.IsEmpty && fits ? ExitCode.Success : ExitCode.Negative;
    }

    private async Task RunPhaseAsync(PageCache cache, string name, double total, Func<Action<double>, Task<long>> work)
    {
        PageCacheStatistics before = cache.GetStatistics();
        long started = Stopwatch.GetTimestamp();
        long bytes = await Terminal.RunWithProgressAsync(name, total, work);
        Phase phase = new(name, Stopwatch.GetElapsedTime(started), bytes, before, cache.GetStatistics());
        _phases.Add(phase);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {phase.Duration.TotalSeconds:N2} s"));
    }

    private static async Task<long> LoadAsync(KeyValueStore store, FileTree tree, Action<double> report, CancellationToken cancellationToken)
    {
        FileLoader loader = new(store, tree);
        await loader.RunAsync(report, cancellationToken);
        await store.FlushAsync(cancellationToken);
        return loader.BytesLoaded;
    }

    private static async Task PlantAsync(KeyValueStore store, FileTree tree, CancellationToken cancellationToken)
    {
        TreeFile file = tree.Files.First(file => file.Length > 0);
        byte[] key = TextKey.ToBytes(file.RelativePath);
        byte[] value = (await store.GetAsync(key, cancellationToken))!;
        value[^1] ^= 1;
        await store.PutAsync(key, value, cancellationToken);
    }

    private async Task<long> CompareAsync(KeyValueStore store, FileTree tree, Action<double> report, CancellationToken cancellationToken)
    {
        ParallelOptions parallel = new()
        {
            MaxDegreeOfParallelism = Math.Min(Environment.ProcessorCount, 4),
            CancellationToken = cancellationToken,
        };
        await Parallel.ForEachAsync(tree.Files, parallel, async (file, token) =>
        {
            report(await CompareAsync(store, tree, file, token));
        });
        return _verifiedBytes;
    }

    private async Task<long> CompareAsync(KeyValueStore store, FileTree tree, TreeFile file, CancellationToken cancellationToken)
    {
        await using FileStream source = SourceFile.Open(tree.FullPath(file));
        ComparingStream comparison = new(source);
        long? length = await store.CopyToAsync(TextKey.ToBytes(file.RelativePath), comparison, cancellationToken);
        if (length is null)
        {
            _differences.Enqueue($"{file.RelativePath}: not in the store");
        }
        else if (comparison.DifferenceAt >= 0)
        {
            _differences.Enqueue($"{file.RelativePath}: the value differs from the file at byte {comparison.DifferenceAt}");
        }
        else if (!await comparison.IsAtEndAsync(cancellationToken))
        {
            _differences.Enqueue($"{file.RelativePath}: the value ends at byte {length}, the file does not");
        }
        else
        {
            Interlocked.Increment(ref _verifiedFiles);
        }

        return Interlocked.Add(ref _verifiedBytes, comparison.BytesCompared);
    }

    /// <summary>Proves that the keys of the store are those of the files, in their order, with their lengths.</summary>
    private async Task<long> ScanAsync(KeyValueStore store, FileTree tree, bool reverse, Action<double> report, CancellationToken cancellationToken)
    {
        int count = tree.Files.Count;
        int seen = 0;
        await foreach (KeyValueEntry entry in store.ScanAsync(new ScanOptions { KeysOnly = true, Reverse = reverse }, cancellationToken))
        {
            if (seen == count)
            {
                _differences.Enqueue($"the scan gives more than the {count} keys that were put, such as {TextKey.ToText(entry.Key.Span)}");
                return 0;
            }

            TreeFile file = tree.Files[reverse ? count - 1 - seen : seen];
            if (!entry.Key.Span.SequenceEqual(TextKey.ToBytes(file.RelativePath)))
            {
                _differences.Enqueue($"the scan gives {TextKey.ToText(entry.Key.Span)} where {file.RelativePath} is next in order");
                return 0;
            }

            report(++seen);
        }

        if (seen != count)
        {
            _differences.Enqueue($"the scan gives {seen} keys of {count}");
        }

        return 0;
    }

    private async Task<long> CheckAsync(KeyValueStore store, Action<double> report, CancellationToken cancellationToken)
    {
        CheckReport result = await store.CheckAsync(new PageProgress(report), cancellationToken);
        foreach (CheckProblem problem in result.Problems)
        {
            _differences.Enqueue($"the check reports {problem}");
        }

        return 0;
    }
}
