using System.Diagnostics;
using System.Globalization;
using StorageCache.KeyValueStore.Cli.CommandLine;
using StorageCache.KeyValueStore.Cli.Loading;

namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>
/// Puts every file of a directory into a fresh store whose cache is an eighth of the data, reads everything back, compares it, scans it, and checks the tree.
/// </summary>
internal sealed class Demonstration(DemoOptions options)
{
    /// <summary>What the process may take beside the cache: the runtime, this program, and its few buffers.</summary>
    private const long MemoryBesideCache = 150_000_000;

    private const int MostDifferencesNamed = 20;

    private const string Prefix = "kv-demo-";

    private readonly List<Phase> _phases = [];
    private readonly List<string> _differences = [];

    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        FileTree tree = FileTree.Read(options.Directory ?? DotnetDirectory.Find());
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{tree.Root}: {tree.Files.Count:N0} files, {tree.TotalBytes:N0} bytes, {tree.Links:N0} symbolic links not followed"));
        string directory = CreateDirectory();
        try
        {
            return await RunAsync(tree, directory, cancellationToken);
        }
        finally
        {
            if (options.Keep)
            {
                ErrorReporting.Warn($"the store is kept in {directory}");
            }
            else
            {
                Directory.Delete(directory, recursive: true);
            }
        }
    }

    private string CreateDirectory()
    {
        if (options.Scratch is { } scratch && !Directory.Exists(scratch))
        {
            throw new DirectoryNotFoundException($"There is no directory '{scratch}'.");
        }

        try
        {
            return options.Scratch is null
                ? Directory.CreateTempSubdirectory(Prefix).FullName
                : Directory.CreateDirectory(Path.Combine(options.Scratch, $"{Prefix}{Guid.NewGuid():n}")).FullName;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            string where = options.Scratch is null ? $"'{Path.GetTempPath()}', which TMPDIR names" : $"'{options.Scratch}'";
            throw new IOException($"Cannot create a directory for the store in {where}: {exception.Message}", exception);
        }
    }

    private async Task<int> RunAsync(FileTree tree, string directory, CancellationToken cancellationToken)
    {
        string path = Path.Combine(directory, "demo.kv");
        int pageSize = options.PageSize != 0 ? options.PageSize : KeyValueStoreOptions.DefaultPageSize;
        long cacheSize = options.CacheSize != 0 ? CacheSize.For(options.CacheSize, pageSize) : CacheSize.Nearest(tree.TotalBytes / 8, pageSize);
        FileLoader loader;
        FileComparer comparer;
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = cacheSize, PageSize = pageSize });
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(
            cache, path, new KeyValueStoreOptions { Mode = MappingMode.CreateNew, Durability = KeyValueDurability.Written }, cancellationToken))
        {
            loader = new FileLoader(store, tree);
            await RunPhaseAsync(cache, "load", tree.TotalBytes, report => LoadAsync(store, loader, report, cancellationToken));
            if (options.PlantDifference)
            {
                await PlantAsync(store, loader.Loaded, cancellationToken);
            }

            comparer = new FileComparer(store, tree);
            await RunPhaseAsync(cache, "read and compare", loader.BytesLoaded, report => comparer.RunAsync(loader.Loaded, report, cancellationToken));
            _differences.AddRange(comparer.Differences);
            await RunPhaseAsync(cache, "scan forward", loader.Loaded.Count, report => ScanAsync(store, loader.Loaded, reverse: false, report, cancellationToken));
            await RunPhaseAsync(cache, "scan backward", loader.Loaded.Count, report => ScanAsync(store, loader.Loaded, reverse: true, report, cancellationToken));
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

        DemoReport.WriteFiles(loader, comparer.Changed);
        foreach (string difference in _differences.Take(MostDifferencesNamed))
        {
            ErrorReporting.Warn(difference);
        }

        Console.WriteLine($"verified {comparer.VerifiedFiles} files, {comparer.VerifiedBytes} bytes, {_differences.Count} differences");
        bool areClonesRight = options.Clones == 0 || await RunOnClonesAsync(directory, path, pageSize, loader.Loaded, cancellationToken);
        return _differences.Count == 0 && fits && areClonesRight ? ExitCode.Success : ExitCode.Negative;
    }

    /// <returns>Whether all values were what they must be.</returns>
    private async Task<bool> RunOnClonesAsync(string directory, string path, int pageSize, IReadOnlyList<LoadedFile> files, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> differences = await new CloneDemonstration(options, path, pageSize, files).RunAsync(directory, cancellationToken);
        foreach (string difference in differences.Take(MostDifferencesNamed))
        {
            ErrorReporting.Warn(difference);
        }

        return differences.Count == 0;
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

    private static async Task<long> LoadAsync(KeyValueStore store, FileLoader loader, Action<double> report, CancellationToken cancellationToken)
    {
        await loader.RunAsync(report, cancellationToken);
        await store.FlushAsync(cancellationToken);
        return loader.BytesLoaded;
    }

    private static async Task PlantAsync(KeyValueStore store, IReadOnlyList<LoadedFile> files, CancellationToken cancellationToken)
    {
        if (files.FirstOrDefault(file => file.Length > 0) is not { } file)
        {
            return;
        }

        byte[] key = ByteText.ToBytes(file.RelativePath);
        byte[] value = (await store.GetAsync(key, cancellationToken))!;
        value[^1] ^= 1;
        await store.PutAsync(key, value, cancellationToken);
    }

    /// <summary>Proves that the keys of the store are those of the files, in their order, with their lengths.</summary>
    private async Task<long> ScanAsync(KeyValueStore store, IReadOnlyList<LoadedFile> files, bool reverse, Action<double> report, CancellationToken cancellationToken)
    {
        int count = files.Count;
        int seen = 0;
        await foreach (KeyValueEntry entry in store.ScanAsync(new ScanOptions { KeysOnly = true, Reverse = reverse }, cancellationToken))
        {
            if (seen == count)
            {
                _differences.Add($"the scan gives more than the {count} keys that were put, such as {TextKey.ToText(entry.Key.Span)}");
                return 0;
            }

            LoadedFile file = files[reverse ? count - 1 - seen : seen];
            if (!entry.Key.Span.SequenceEqual(ByteText.ToBytes(file.RelativePath)))
            {
                _differences.Add($"the scan gives {TextKey.ToText(entry.Key.Span)} where {file.RelativePath} is next in order");
                return 0;
            }

            report(++seen);
        }

        if (seen != count)
        {
            _differences.Add($"the scan gives {seen} keys of {count}");
        }

        return 0;
    }

    private async Task<long> CheckAsync(KeyValueStore store, Action<double> report, CancellationToken cancellationToken)
    {
        CheckReport result = await store.CheckAsync(new PageProgress(report), cancellationToken);
        foreach (CheckProblem problem in result.Problems)
        {
            _differences.Add($"the check reports {problem}");
        }

        return 0;
    }
}
