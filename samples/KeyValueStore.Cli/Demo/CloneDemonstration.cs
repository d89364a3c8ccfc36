using System.Globalization;
using StorageCache.KeyValueStore.Cli.CommandLine;
using StorageCache.KeyValueStore.Cli.Files;
using StorageCache.KeyValueStore.Cli.Loading;

namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>
/// Makes clones of a store with the demonstration's data, reads all of them in full through one cache, and says what that takes in memory: in the
/// cache, and in the kernel's page cache for the same files; once as they were made, and once after each has changed a tenth of its pages.
/// </summary>
/// <param name="options">How many, and where.</param>
/// <param name="storePath">The store that has the data.</param>
/// <param name="pageSize">Bytes of its pages.</param>
/// <param name="files">What it was made of.</param>
internal sealed class CloneDemonstration(DemoOptions options, string storePath, int pageSize, IReadOnlyList<LoadedFile> files)
{
    /// <summary>The part of the memory and of the disk that may be taken by copies which are not shared, the kernel's among them.</summary>
    private const int Part = 3;

    private const int MaximumParallelism = 4;

    /// <summary>Bytes beside the pages that a cache with all stores in it takes at most, whatever their size.</summary>
    private const long BesidePages = 32L << 20;

    /// <summary>Bytes of a file system for what is no data.</summary>
    private const long BesideData = 256L << 20;

    private readonly SharingDomain _domain = options.ShareContent ? new SharingDomain("demo") { SharesContent = true } : SharingDomain.Default;
    private readonly List<CloneMemory> _measures = [];
    private readonly List<string> _differences = [];
    private readonly List<CloneContents> _stores = [];

    /// <param name="directory">A directory of the demonstration's own; what this leaves there is to be deleted with it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Values that are not what they must be.</returns>
    public async Task<IReadOnlyList<string>> RunAsync(string directory, CancellationToken cancellationToken)
    {
        Console.WriteLine();
        IReadOnlyList<LoadedFile> chosen = Choose(MostBytes(directory));
        string? whyNot = await ReflinkProbe.WhyNotAsync(directory, cancellationToken);
        if (whyNot is not null)
        {
            Console.WriteLine($"Clones are plain copies in '{directory}': {whyNot}");
            if (!options.ShareContent)
            {
                (XfsImage? image, string? why) = await XfsImage.TryMountAsync(directory, ImageBytes(chosen));
                if (image is not null)
                {
                    await using XfsImage mounted = image;
                    Console.WriteLine($"So they are made on an XFS image in a file, mounted at '{mounted.Directory}' for as long as this takes.");
                    await RunInAsync(mounted.Directory, chosen, cancellationToken);
                    return _differences;
                }

                Console.WriteLine($"An XFS image cannot be had: {why}. So plain copies it is, which share no memory without --share-content.");
            }
        }

        await RunInAsync(directory, chosen, cancellationToken);
        return _differences;
    }

    private async Task RunInAsync(string directory, IReadOnlyList<LoadedFile> chosen, CancellationToken cancellationToken)
    {
        // Room for all of them without any sharing: what the cache takes is what it needs, not what it was given.
        long most = (long)(chosen.Sum(file => file.Length + pageSize) * 1.25) * (options.Clones + 1) + BesidePages;
        PageCacheOptions cacheOptions = new() { MemoryLimit = CacheSize.Nearest(most, pageSize), PageSize = pageSize };
        bool areReflinks;
        await using (PageCache cache = new(cacheOptions))
        {
            areReflinks = await RunThroughAsync(cache, async () =>
            {
                await LoadAsync(cache, Path.Combine(directory, "source.kv"), chosen, cancellationToken);
                await MeasureAsync("the store", cancellationToken);
                bool made = await CloneAsync(directory, chosen, cancellationToken);
                if (made || !options.ShareContent)
                {
                    await MeasureClonesAsync(made, cancellationToken);
                }

                return made;
            });
        }

        if (!areReflinks && options.ShareContent)
        {
            // Pages are compared when they are read, and those of a copy were written: a cache that has not seen them yet.
            await using PageCache cache = new(cacheOptions);
            await RunThroughAsync(cache, async () =>
            {
                await RunOnAllAsync("opening", skip: 0, (contents, _) => contents.OpenAsync(cache, StoreOptions(MappingMode.Open), cancellationToken), cancellationToken);
                await MeasureClonesAsync(areReflinks, cancellationToken);
                return areReflinks;
            });
        }

        DemoReport.WriteClones(_measures, options.Clones, chosen.Count, files.Count);
    }

    /// <summary>Does what is to be done with stores in a cache, and closes those that are open afterwards.</summary>
    private async Task<bool> RunThroughAsync(PageCache cache, Func<Task<bool>> work)
    {
        try
        {
            return await work();
        }
        finally
        {
            foreach (CloneContents contents in _stores.Where(contents => contents.Store.Cache == cache))
            {
                await contents.Store.CloseAsync();
            }
        }
    }

    private async Task MeasureClonesAsync(bool areReflinks, CancellationToken cancellationToken)
    {
        await MeasureAsync(string.Create(CultureInfo.InvariantCulture, $"with {options.Clones} {(areReflinks ? "reflinks" : "plain copies")}"), cancellationToken);
        await RunOnAllAsync("changing", skip: 1, (contents, index) => contents.ChangeAsync(index, cancellationToken), cancellationToken);
        await MeasureAsync("after changes", cancellationToken);
    }

    private async Task LoadAsync(PageCache cache, string path, IReadOnlyList<LoadedFile> chosen, CancellationToken cancellationToken)
    {
        await using KeyValueStore data = await KeyValueStore.OpenAsync(
            storePath, new KeyValueStoreOptions { ReadOnly = true, PageSize = pageSize }, cancellationToken);
        KeyValueStore store = await KeyValueStore.OpenAsync(cache, path, StoreOptions(MappingMode.CreateNew), cancellationToken);
        _stores.Add(new CloneContents(store, chosen));
        await Terminal.RunWithProgressAsync("loading", chosen.Count, async report =>
        {
            for (int i = 0; i < chosen.Count; i++)
            {
                byte[] key = ByteText.ToBytes(chosen[i].RelativePath);
                byte[] value = await data.GetAsync(key, cancellationToken) ?? throw new IOException($"The store '{storePath}' has lost a key.");
                await store.PutAsync(key, value, cancellationToken);
                report(i + 1);
            }

            return 0;
        });

        // The kernel is to find all of it in the file.
        await store.CheckpointAsync(cancellationToken);
    }

    /// <returns>Whether the clones are reflinks.</returns>
    private async Task<bool> CloneAsync(string directory, IReadOnlyList<LoadedFile> chosen, CancellationToken cancellationToken)
    {
        KeyValueStore source = _stores[0].Store;
        bool areReflinks = true;
        await Terminal.RunWithProgressAsync("cloning", options.Clones, async report =>
        {
            for (int i = 1; i <= options.Clones; i++)
            {
                string path = Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"clone-{i}.kv"));
                KeyValueStoreClone clone = await source.CloneAsync(path, cancellationToken);
                _stores.Add(new CloneContents(clone.Store, chosen));
                areReflinks &= clone.IsReflink;
                report(i);
            }

            return 0;
        });
        return areReflinks;
    }

    /// <summary>Reads all stores in full through the cache, then their files through the kernel's, and notes what that took.</summary>
    private async Task MeasureAsync(string state, CancellationToken cancellationToken)
    {
        PageCache cache = _stores[0].Store.Cache;
        await RunOnAllAsync("reading", skip: 0, async (contents, _) =>
        {
            List<string> differences = await contents.ReadAsync(cancellationToken);
            lock (_differences)
            {
                _differences.AddRange(differences);
            }
        }, cancellationToken);
        string[] paths = [.. _stores.Select(contents => contents.Store.Path)];
        _measures.Add(await Terminal.RunWithProgressAsync(
            "reading through the kernel", paths.Length, report => Task.Run(() => KernelMeasure.Take(state, paths, cache, report, cancellationToken), cancellationToken)));
    }

    private async Task RunOnAllAsync(string title, int skip, Func<CloneContents, int, Task> work, CancellationToken cancellationToken)
    {
        ParallelOptions parallel = new()
        {
            MaxDegreeOfParallelism = Math.Min(Environment.ProcessorCount, MaximumParallelism),
            CancellationToken = cancellationToken,
        };
        int done = 0;
        await Terminal.RunWithProgressAsync(title, _stores.Count - skip, async report =>
        {
            await Parallel.ForEachAsync(Enumerable.Range(skip, _stores.Count - skip), parallel, async (index, _) =>
            {
                await work(_stores[index], index);
                report(Interlocked.Increment(ref done));
            });
            return 0;
        });
    }

    private KeyValueStoreOptions StoreOptions(MappingMode mode) => new() { Mode = mode, SharingDomain = _domain, Durability = KeyValueDurability.Written };

    /// <summary>As many files, in their order, as leave room for a copy in each clone.</summary>
    private List<LoadedFile> Choose(long most)
    {
        List<LoadedFile> chosen = [];
        long bytes = 0;
        foreach (LoadedFile file in files)
        {
            if (bytes + file.Length + pageSize <= most)
            {
                chosen.Add(file);
                bytes += file.Length + pageSize;
            }
        }

        return chosen;
    }

    /// <summary>Bytes of a store of which there may be so many copies.</summary>
    private long MostBytes(string directory)
    {
        long memory = Math.Min(MachineMemory.Bytes, KernelFile.ReadMemory("/proc/meminfo", "MemAvailable:") ?? long.MaxValue);
        return Math.Min(memory, new DriveInfo(directory).AvailableFreeSpace) / Part / (options.Clones + 1);
    }

    /// <summary>Bytes of a file system on which each clone can change a tenth, and a good deal more.</summary>
    private long ImageBytes(IReadOnlyList<LoadedFile> chosen) => chosen.Sum(file => file.Length + pageSize) * (options.Clones + 8) / 4 + BesideData;
}
