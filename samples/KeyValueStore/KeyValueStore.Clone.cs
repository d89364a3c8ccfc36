using StorageCache.KeyValueStore.Concurrency;
using StorageCache.KeyValueStore.Files;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Logging;
using StorageCache.KeyValueStore.Recovery;

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
    /// <exception cref="StoreFailedException">The log or the file has failed. There is no clone.</exception>
    /// <exception cref="PageCacheException">A page could not be read, written or synchronised. There is no clone.</exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public ValueTask<KeyValueStoreClone> CloneAsync(string path, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return CloneCoreAsync(path, cancellationToken);
    }

    private async ValueTask<KeyValueStoreClone> CloneCoreAsync(string path, CancellationToken cancellationToken)
    {
        using OperationGate.Ticket ticket = Enter();
        LogSeat seat = new();
        (MappingClone clone, MetaPage meta, ulong firstLsn) = await ClonePagesAsync(path, seat, cancellationToken).ConfigureAwait(false);
        KeyValueStoreOptions options = _options with { ReadOnly = false };
        StoreOpener opener = new(clone.Mapping, seat, path, options);
        try
        {
            KeyValueStore store = new(await opener.AdoptAsync(meta, firstLsn, cancellationToken).ConfigureAwait(false), options, _ownCache);
            _ownCache?.Share();
            return new KeyValueStoreClone(store, clone.IsReflink, clone.WhyNot);
        }
        catch
        {
            await TakeAwayAsync(clone.Mapping, options.Files, withLog: opener.OwnsLogFile).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Clones the file between two changes: what is cloned is the store whole (KV-14).</summary>
    /// <returns>The clone, which has no log yet; what a meta page says of it; and an LSN that no page of it exceeds.</returns>
    private async ValueTask<(MappingClone Clone, MetaPage Meta, ulong FirstLsn)> ClonePagesAsync(string path, LogSeat seat, CancellationToken cancellationToken)
    {
        await _writerLock.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ThrowIfFailed();
            (MetaPage meta, ulong firstLsn) = await FlushForCloneAsync(cancellationToken).ConfigureAwait(false);
            return (await _mapping.CloneAsync(path, seat, cancellationToken).ConfigureAwait(false), meta, firstLsn);
        }
        finally
        {
            _writerLock.Release();
        }
    }

    /// <summary>Has the file hold what the store does. The writer lock is held.</summary>
    /// <returns>What a meta page says of the file now, and an LSN that no page of it exceeds.</returns>
    private async ValueTask<(MetaPage Meta, ulong FirstLsn)> FlushForCloneAsync(CancellationToken cancellationToken)
    {
        StoreContents contents = new(_allocator.PageCount, Counts);
        if (_log is { HasBegun: true } log)
        {
            try
            {
                await log.EnsureDurableAsync(log.NextLsn, cancellationToken).ConfigureAwait(false);
            }
            catch (LogFailedException exception)
            {
                throw new StoreFailedException(Path, exception);
            }

            await _mapping.ExtendAsync(contents.PageCount * PageSize, cancellationToken).ConfigureAwait(false);
            await _mapping.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        return (_openedMeta with { Contents = contents }, _log?.NextLsn ?? _openedMeta.RedoPoint);
    }

    /// <summary>Takes away a clone that could not be opened.</summary>
    private static async ValueTask TakeAwayAsync(Mapping clone, IStoreFiles files, bool withLog)
    {
        try
        {
            // Before it is closed: until then its lock keeps others from coming to use it.
            files.Delete(clone.Path, withLog);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // What has failed before matters more, and is on its way.
        }

        try
        {
            // Whether or not it is gone: what is dirty of it keeps its frames, and the cache from being closed.
            await clone.AbandonAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            // As above.
        }
    }
}
