using StorageCache.KeyValueStore.Concurrency;

namespace StorageCache.KeyValueStore;

public sealed partial class KeyValueStore
{
    /// <summary>
    /// Makes a store of its own that holds what this one does, and opens it in the same cache, for reading and writing. Every change that was
    /// made before is flushed first, and is in the clone; none that comes later is. Durable on return.
    /// </summary>
    /// <param name="path">The clone's file, which must not exist.</param>
    /// <param name="cancellationToken">Gives up; there is no clone then.</param>
    /// <remarks>
    /// Changes wait until it is done, readers go on. On a file system with reflinks (XFS, btrfs) that takes no longer than a flush, and the two
    /// stores have the pages in memory once that neither has changed since. Elsewhere it is a plain copy, and the result says why; changes then
    /// wait for all of it. A store that is open for reading only can be cloned; the clone can be written to.
    /// </remarks>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="IOException">The file exists or cannot be created (among others because there is no room). There is no clone.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be created there.</exception>
    /// <exception cref="StoreFailedException">An earlier change stopped half way. There is no clone.</exception>
    /// <exception cref="PageCacheException">A page could not be read, written or synchronised. There is no clone.</exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public ValueTask<KeyValueStoreClone> CloneAsync(string path, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return CloneCoreAsync(path, cancellationToken);
    }

    private async ValueTask<KeyValueStoreClone> CloneCoreAsync(string path, CancellationToken cancellationToken)
    {
        // What is cloned is the file as the flush leaves it, clean (KV-11); nobody changes it before the clone is made (KV-14).
        using WriterScope scope = await EnterWriterAsync(cancellationToken).ConfigureAwait(false);
        await FlushCoreAsync(cancellationToken).ConfigureAwait(false);
        MappingClone clone = await _mapping.CloneAsync(path, cancellationToken).ConfigureAwait(false);
        try
        {
            KeyValueStore store = await OpenOnAsync(clone.Mapping, _ownCache, isNew: false, cancellationToken).ConfigureAwait(false);
            _ownCache?.Share();
            return new KeyValueStoreClone(store, clone.IsReflink, clone.WhyNot);
        }
        catch
        {
            await AbandonAsync(clone.Mapping).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Takes away a clone that could not be opened.</summary>
    private static async ValueTask AbandonAsync(Mapping clone)
    {
        try
        {
            // Before it is closed: until then its lock keeps others from coming to use it.
            File.Delete(clone.Path);
            await clone.CloseAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // What has failed before matters more, and is on its way.
        }
    }
}
