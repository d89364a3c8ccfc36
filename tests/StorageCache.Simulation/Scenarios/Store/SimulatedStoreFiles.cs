using StorageCache.IO;
using StorageCache.KeyValueStore.Files;
using StorageCache.Simulation.Disk;

namespace StorageCache.Simulation.Scenarios.Store;

/// <summary>A store's two files on a simulated disk, as one process has them open. Not thread-safe.</summary>
internal sealed class SimulatedStoreFiles(SimulatedDisk disk) : IStoreFiles
{
    private const string LogSuffix = ".log";

    /// <summary>Name of a store's log.</summary>
    public static string LogOf(string path) => path + LogSuffix;

    /// <inheritdoc/>
    public ValueTask<Mapping> OpenPagesAsync(PageCache cache, string path, MappingOptions options, CancellationToken cancellationToken) =>
        cache.OpenAsync(disk.Open(path), options, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IBlockDevice?> OpenLogAsync(PageCache cache, string path, bool create, bool isReadOnly, CancellationToken cancellationToken) =>
        new(create || disk.Exists(LogOf(path)) ? disk.Open(LogOf(path)) : null);

    /// <inheritdoc/>
    public void Delete(string path, bool withLog)
    {
        disk.Delete(path);
        if (withLog)
        {
            disk.Delete(LogOf(path));
        }
    }
}
