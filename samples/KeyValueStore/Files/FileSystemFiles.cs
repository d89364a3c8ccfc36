using StorageCache.IO;

namespace StorageCache.KeyValueStore.Files;

/// <summary>Stores in files of the file system: the log is beside the pages, with <c>.log</c> added to their name. By whatever symbolic links a store is opened, it has one log.</summary>
internal sealed class FileSystemFiles : IStoreFiles
{
    /// <summary>What is added to a store's name for its log.</summary>
    public const string LogSuffix = ".log";

    public static FileSystemFiles Instance { get; } = new();

    public ValueTask<Mapping> OpenPagesAsync(PageCache cache, string path, MappingOptions options, CancellationToken cancellationToken) =>
        cache.OpenAsync(path, options, cancellationToken);

    public async ValueTask<IBlockDevice?> OpenLogAsync(PageCache cache, string path, bool create, bool isReadOnly, CancellationToken cancellationToken)
    {
        MappingMode mode = create ? MappingMode.OpenOrCreate : MappingMode.Open;
        try
        {
            return await cache.OpenDeviceAsync(LogOf(path), mode, isReadOnly, cancellationToken).ConfigureAwait(false);
        }
        catch (FileNotFoundException) when (!create)
        {
            return null;
        }
    }

    public void Delete(string path, bool withLog)
    {
        string log = LogOf(path);
        File.Delete(path);
        if (withLog)
        {
            File.Delete(log);
        }
    }

    private static string LogOf(string path) => (File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path) + LogSuffix;
}
