using StorageCache.KeyValueStore.Cli.CommandLine;
using StorageCache.KeyValueStore.Cli.Loading;

namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>A store of the demonstration's clones, and what its values must be.</summary>
/// <param name="store">The store.</param>
/// <param name="files">Whose contents it holds.</param>
internal sealed class CloneContents(KeyValueStore store, IReadOnlyList<LoadedFile> files)
{
    /// <summary>One page of this many is changed.</summary>
    private const int ChangedShare = 10;

    private readonly ulong[] _hashes = [.. files.Select(file => file.Hash)];

    public KeyValueStore Store { get; private set; } = store;

    /// <summary>Opens the store, which has been closed, in another cache.</summary>
    public async Task OpenAsync(PageCache cache, KeyValueStoreOptions options, CancellationToken cancellationToken) =>
        Store = await KeyValueStore.OpenAsync(cache, Store.Path, options, cancellationToken);

    /// <summary>Reads every value.</summary>
    /// <returns>Those that are not what they must be.</returns>
    public async Task<List<string>> ReadAsync(CancellationToken cancellationToken)
    {
        List<string> differences = [];
        for (int i = 0; i < files.Count; i++)
        {
            ComparingStream value = new(file: null);
            long? length = await Store.CopyToAsync(ByteText.ToBytes(files[i].RelativePath), value, cancellationToken);
            if (length != files[i].Length || value.Hash != _hashes[i])
            {
                differences.Add($"{files[i].RelativePath}: not what it must be in {Path.GetFileName(Store.Path)}");
            }
        }

        return differences;
    }

    /// <summary>Puts new values of the same lengths until a tenth of the pages is changed, and makes them durable.</summary>
    /// <param name="seed">Which values, and what they become.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task ChangeAsync(int seed, CancellationToken cancellationToken)
    {
        Random random = new(seed);
        int[] order = [.. Enumerable.Range(0, files.Count)];
        random.Shuffle(order);
        long left = Store.GetStatistics().PageCount / ChangedShare;
        foreach (int i in order)
        {
            long pages = Math.Max(1, (files[i].Length + Store.PageSize - 1) / Store.PageSize);
            if (pages > left)
            {
                continue;
            }

            byte[] value = new byte[files[i].Length];
            random.NextBytes(value);
            await Store.PutAsync(ByteText.ToBytes(files[i].RelativePath), value, cancellationToken);
            _hashes[i] = System.IO.Hashing.XxHash3.HashToUInt64(value);
            left -= pages;
        }

        await Store.CheckpointAsync(cancellationToken);
    }
}
