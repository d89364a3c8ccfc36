using StorageCache.IO;

namespace StorageCache.KeyValueStore.Files;

/// <summary>Where a store's two files are: the pages, and beside them the log.</summary>
internal interface IStoreFiles
{
    /// <summary>Opens the file with the pages.</summary>
    ValueTask<Mapping> OpenPagesAsync(PageCache cache, string path, MappingOptions options, CancellationToken cancellationToken);

    /// <summary>Opens the file with the log.</summary>
    /// <param name="cache">The store's cache, whose engine carries the log's I/O out.</param>
    /// <param name="path">Path of the store, not of the log.</param>
    /// <param name="create">Whether to make the file if there is none.</param>
    /// <param name="isReadOnly">Whether it is only read.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The file, for the caller to dispose of; null if there is none and none was to be made.</returns>
    ValueTask<IBlockDevice?> OpenLogAsync(PageCache cache, string path, bool create, bool isReadOnly, CancellationToken cancellationToken);

    /// <summary>Takes a store's files away; there need be none.</summary>
    /// <param name="path">Path of the store.</param>
    /// <param name="withLog">Whether the file in the log's place is the store's, and goes as well.</param>
    void Delete(string path, bool withLog);
}
