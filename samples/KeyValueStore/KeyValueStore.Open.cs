using StorageCache.IO;
using StorageCache.KeyValueStore.Checkpoints;
using StorageCache.KeyValueStore.Concurrency;
using StorageCache.KeyValueStore.Files;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Logging;
using StorageCache.KeyValueStore.Recovery;

namespace StorageCache.KeyValueStore;

public sealed partial class KeyValueStore
{
    /// <summary>Opens or creates a store in a cache that the caller owns and disposes of after the store is closed.</summary>
    /// <param name="cache">The cache; its page size must be the store's.</param>
    /// <param name="path">The file.</param>
    /// <param name="options">How to open it; null means the defaults.</param>
    /// <param name="cancellationToken">Gives up; a new file may then be left behind empty.</param>
    /// <exception cref="ArgumentException">The path is empty or an option is out of its range.</exception>
    /// <exception cref="StoreFormatException">The file is not a store, or has another format version or page size.</exception>
    /// <exception cref="StoreNotCleanException">The store was not closed, and its log is missing; or it was not closed and is to be opened for reading only.</exception>
    /// <exception cref="CorruptStoreException">The meta page or a map page is damaged, or the file was cut off or added to.</exception>
    /// <exception cref="CorruptLogException">The log is damaged where it was durable.</exception>
    /// <exception cref="StoreInUseException">The file is open in this cache already, as a store or otherwise.</exception>
    /// <exception cref="MappingLockedException">Another process, or another cache, has the file open.</exception>
    /// <remarks>
    /// The log is the file beside it with <c>.log</c> added to the name. A store that was not closed recovers: see <see cref="Recovery"/>. Files that are
    /// refused are left as they were.
    /// </remarks>
    public static ValueTask<KeyValueStore> OpenAsync(
        PageCache cache, string path, KeyValueStoreOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new KeyValueStoreOptions();
        options.Validate();
        return OpenCoreAsync(cache, null, path, options, cancellationToken);
    }

    /// <summary>Opens or creates a store with a cache of its own, which closing the store disposes of.</summary>
    /// <inheritdoc cref="OpenAsync(PageCache, string, KeyValueStoreOptions?, CancellationToken)"/>
    public static ValueTask<KeyValueStore> OpenAsync(
        string path, KeyValueStoreOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new KeyValueStoreOptions();
        options.Validate();
        return OpenWithOwnCacheAsync(path, options, cancellationToken);
    }

    private static async ValueTask<KeyValueStore> OpenWithOwnCacheAsync(string path, KeyValueStoreOptions options, CancellationToken cancellationToken)
    {
        int pageSize = options.PageSize != 0 ? options.PageSize : GetPageSize(path) ?? KeyValueStoreOptions.DefaultPageSize;
        options.ValidateCacheSize(pageSize);
        PageCache cache = new(new PageCacheOptions { MemoryLimit = options.CacheSize, PageSize = pageSize });
        try
        {
            return await OpenCoreAsync(cache, new OwnCache(cache), path, options, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await cache.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The page size of the store in a file, in bytes; null where there is no store that can be read: opening says what is wrong.</summary>
    /// <param name="path">The file.</param>
    public static int? GetPageSize(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            // Whatever has no length has no page size; a pipe among it, whose opening would wait for somebody at the other end.
            FileInfo named = new(path);
            if (named.ResolveLinkTarget(returnFinalTarget: true) is FileInfo { Length: 0 } || named is { LinkTarget: null, Length: 0 })
            {
                return null;
            }

            Span<byte> start = stackalloc byte[MetaPage.Size];
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            int length = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
            return MetaPage.TryReadPageSize(start[..length], out int pageSize) ? pageSize : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Locked, or not to be read: the cache's own attempt says which.
            return null;
        }
    }

    private static async ValueTask<KeyValueStore> OpenCoreAsync(
        PageCache cache, OwnCache? ownCache, string path, KeyValueStoreOptions options, CancellationToken cancellationToken)
    {
        LogSeat seat = new();
        MappingOptions mappingOptions = new()
        {
            Mode = options.ReadOnly ? MappingMode.Open : options.Mode,
            ReadOnly = options.ReadOnly,
            SharingDomain = options.SharingDomain,
            Log = seat,
        };
        Mapping mapping = await OpenPagesAsync(cache, path, mappingOptions, options.Files, cancellationToken).ConfigureAwait(false);
        bool mayCreate = mappingOptions.Mode != MappingMode.Open;
        return await OpenOnAsync(
            mapping, options, ownCache, () => new StoreOpener(mapping, seat, path, options).OpenAsync(mayCreate, cancellationToken)).ConfigureAwait(false);
    }

    /// <summary>Opens the file for this store alone: a mapping has one log, and whoever has the file open in this cache has another.</summary>
    private static async ValueTask<Mapping> OpenPagesAsync(
        PageCache cache, string path, MappingOptions mappingOptions, IStoreFiles files, CancellationToken cancellationToken)
    {
        try
        {
            return await files.OpenPagesAsync(cache, path, mappingOptions, cancellationToken).ConfigureAwait(false);
        }
        catch (MappingInUseException exception)
        {
            throw new StoreInUseException(path, exception);
        }
    }

    /// <summary>Makes the store of a mapping, which is closed again if that fails, with nothing written to it.</summary>
    private static async ValueTask<KeyValueStore> OpenOnAsync(
        Mapping mapping, KeyValueStoreOptions options, OwnCache? ownCache, Func<ValueTask<OpenedStore>> open)
    {
        try
        {
            return new KeyValueStore(await open().ConfigureAwait(false), options, ownCache);
        }
        catch
        {
            await mapping.AbandonAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Closes the files of a store that nobody uses any more.</summary>
    private static async ValueTask CloseFilesAsync(
        Mapping mapping, WriteAheadLog? log, IBlockDevice? logDevice, PeriodicFlush? periodicFlush, OwnCache? ownCache)
    {
        try
        {
            // What is dirty is in the log, or was never promised: a store that is closed without its last checkpoint recovers.
            await AbandonAsync(mapping).ConfigureAwait(false);
            if (periodicFlush is not null)
            {
                await periodicFlush.DisposeAsync().ConfigureAwait(false);
            }

            if (log is not null)
            {
                await log.DisposeAsync().ConfigureAwait(false);
            }

            if (logDevice is not null)
            {
                await logDevice.DisposeAsync().ConfigureAwait(false);
            }
        }
        finally
        {
            if (ownCache is not null)
            {
                await ownCache.ReleaseAsync().ConfigureAwait(false);
            }
        }
    }

    private static async ValueTask AbandonAsync(Mapping mapping)
    {
        while (true)
        {
            try
            {
                await mapping.AbandonAsync().ConfigureAwait(false);
                return;
            }
            catch (MappingBusyException)
            {
                // Nobody uses the store any more: it is a request, given up by whoever made it, that the disk has not ended. It writes to memory of the cache.
            }
        }
    }
}
