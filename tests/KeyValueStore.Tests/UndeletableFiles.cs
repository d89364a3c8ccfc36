using StorageCache.IO;
using StorageCache.KeyValueStore.Files;

namespace StorageCache.KeyValueStore.Tests;

/// <summary>Files of a file system that turns read-only when a clone gets its log: that is not made, and nothing is deleted any more.</summary>
internal sealed class UndeletableFiles(string clone) : IStoreFiles
{
    public ValueTask<Mapping> OpenPagesAsync(PageCache cache, string path, MappingOptions options, CancellationToken cancellationToken) =>
        FileSystemFiles.Instance.OpenPagesAsync(cache, path, options, cancellationToken);

    public ValueTask<IBlockDevice?> OpenLogAsync(PageCache cache, string path, bool create, bool isReadOnly, CancellationToken cancellationToken) =>
        path == clone
            ? throw new IOException("Read-only.")
            : FileSystemFiles.Instance.OpenLogAsync(cache, path, create, isReadOnly, cancellationToken);

    public void Delete(string path, bool withLog) => throw new IOException("Read-only.");
}
