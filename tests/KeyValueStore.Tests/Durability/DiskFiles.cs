using StorageCache.IO;
using StorageCache.KeyValueStore.Files;
using StorageCache.KeyValueStore.Tests.Logging;

namespace StorageCache.KeyValueStore.Tests.Durability;

/// <summary>One store's files on two disks that do what the test wants.</summary>
internal sealed class DiskFiles : IStoreFiles
{
    public SectorDisk Pages { get; } = new() { Name = "store" };

    public SectorDisk Log { get; } = new() { Name = "store.log" };

    public ValueTask<Mapping> OpenPagesAsync(PageCache cache, string path, MappingOptions options, CancellationToken cancellationToken) =>
        cache.OpenAsync(Pages, options, cancellationToken);

    public ValueTask<IBlockDevice?> OpenLogAsync(PageCache cache, string path, bool create, bool isReadOnly, CancellationToken cancellationToken) =>
        new(create || Log.Length > 0 ? Log : null);

    public void Delete(string path, bool withLog) => throw new NotSupportedException();

    /// <summary>Opens the store in a cache of its own.</summary>
    public ValueTask<KeyValueStore> OpenAsync(KeyValueStoreOptions? options = null) =>
        KeyValueStore.OpenAsync("store", (options ?? new KeyValueStoreOptions()) with { Files = this, LogSegmentSize = 64 << 10, CacheSize = 2 << 20 });

    /// <summary>The power goes and comes back.</summary>
    public void LosePower(Random random)
    {
        Pages.RestoreAfterPowerLoss(random);
        Log.RestoreAfterPowerLoss(random);
    }
}
