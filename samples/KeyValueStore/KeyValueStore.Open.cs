using StorageCache.KeyValueStore.Concurrency;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;

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
    /// <exception cref="StoreNotCleanException">The file was cut off between two flushes.</exception>
    /// <exception cref="CorruptStoreException">The meta page is damaged, or the file was cut off or added to.</exception>
    /// <exception cref="StoreInUseException">The file is open as a store in this process.</exception>
    /// <exception cref="MappingLockedException">Another process, or another cache, has the file open.</exception>
    /// <remarks>A file that is refused is left as it was.</remarks>
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
        MappingOptions mappingOptions = new()
        {
            Mode = options.ReadOnly ? MappingMode.Open : options.Mode,
            ReadOnly = options.ReadOnly,
            SharingDomain = options.SharingDomain,
        };
        Mapping mapping = await cache.OpenAsync(path, mappingOptions, cancellationToken).ConfigureAwait(false);
        try
        {
            bool isNew = mapping.Length == 0 && mappingOptions.Mode != MappingMode.Open;
            return await OpenOnAsync(mapping, ownCache, isNew, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await mapping.CloseAsync(CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Makes the store of a mapping, which stays open if that fails.</summary>
    private static async ValueTask<KeyValueStore> OpenOnAsync(Mapping mapping, OwnCache? ownCache, bool isNew, CancellationToken cancellationToken)
    {
        if (!OpenStores.TryClaim(mapping))
        {
            throw new StoreInUseException(mapping.Path);
        }

        try
        {
            MetaPage meta = isNew
                ? await InitializeAsync(mapping, cancellationToken).ConfigureAwait(false)
                : await ReadMetaAsync(mapping, cancellationToken).ConfigureAwait(false);
            PagePin root = await mapping.PinAsync(MetaPage.RootPage, cancellationToken).ConfigureAwait(false);
            return new KeyValueStore(mapping, ownCache, root, meta);
        }
        catch
        {
            OpenStores.Release(mapping);
            throw;
        }
    }

    private static async ValueTask<MetaPage> ReadMetaAsync(Mapping mapping, CancellationToken cancellationToken)
    {
        if (mapping.Length < MetaPage.Size)
        {
            throw new StoreFormatException(mapping.Path, $"it is not a key-value store: it has {mapping.Length} bytes, less than a store's header");
        }

        using PageReadLease lease = await mapping.ReadAsync(MetaPage.PageNumber, cancellationToken).ConfigureAwait(false);
        return MetaPage.Read(lease.Span, mapping.Path, mapping.PageSize, mapping.Length);
    }

    /// <summary>Makes an empty file into an empty store. The meta page says in flux until the root is durable (KV-11).</summary>
    private static async ValueTask<MetaPage> InitializeAsync(Mapping mapping, CancellationToken cancellationToken)
    {
        MetaPage meta = new()
        {
            PageSize = mapping.PageSize,
            State = StoreState.InFlux,
            PageCount = 2,
            FreeHead = 0,
            FreePages = 0,
            Counts = new TreeCounts(Height: 1, Entries: 0, LeafPages: 1, BranchPages: 0, OverflowPages: 0, KeyBytes: 0, ValueBytes: 0),
            FlushSequence = 0,
        };
        using (PageWriteLease lease = await mapping.WriteNewAsync(MetaPage.PageNumber, cancellationToken).ConfigureAwait(false))
        {
            meta.Write(lease.Span);
            lease.MarkDirty();
        }

        PageWriteLease root = await mapping.WriteNewAsync(MetaPage.RootPage, cancellationToken).ConfigureAwait(false);
        try
        {
            PageHeader.InitializeTree(root.Span, level: 0, next: 0, previous: 0);
            root.Seal();
        }
        finally
        {
            root.Dispose();
        }

        await mapping.FlushAsync(cancellationToken).ConfigureAwait(false);
        meta = meta with { State = StoreState.Clean };
        await WriteMetaAsync(mapping, meta, cancellationToken).ConfigureAwait(false);
        return meta;
    }

    /// <summary>Makes the meta page durable, and with it whatever else is dirty.</summary>
    private static async ValueTask WriteMetaAsync(Mapping mapping, MetaPage meta, CancellationToken cancellationToken)
    {
        using (PageWriteLease lease = await mapping.WriteAsync(MetaPage.PageNumber, cancellationToken).ConfigureAwait(false))
        {
            meta.Write(lease.Span);
            lease.MarkDirty();
        }

        await mapping.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
