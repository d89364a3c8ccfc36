using StorageCache.KeyValueStore.Checkpoints;
using StorageCache.KeyValueStore.Concurrency;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Logging;

namespace StorageCache.KeyValueStore;

public sealed partial class KeyValueStore
{
    /// <summary>Completes when every change made so far is durable: what <see cref="KeyValueDurability.Durable"/> does for each of them.</summary>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="StoreFailedException">The log or the file has failed.</exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public async ValueTask FlushAsync(CancellationToken cancellationToken = default)
    {
        using OperationGate.Ticket ticket = Enter();
        if (_log is not { HasBegun: true })
        {
            return;
        }

        ThrowIfFailed();
        try
        {
            await _log.EnsureDurableAsync(_log.NextLsn, cancellationToken).ConfigureAwait(false);
        }
        catch (LogFailedException exception)
        {
            throw new StoreFailedException(Path, exception);
        }
    }

    /// <summary>
    /// Makes a checkpoint: writes what changes have made of the file's pages, so that a crash afterwards needs no redo of them. Readers and writers go on.
    /// It happens by itself every <see cref="KeyValueStoreOptions.CheckpointBytes"/> of log, and when the store is closed.
    /// </summary>
    /// <param name="cancellationToken">Gives up; redo begins where it did.</param>
    /// <exception cref="StoreFailedException">The log or the file has failed.</exception>
    /// <exception cref="PageCacheException">A page could not be written or synchronised. Nothing is lost: the log has what it was to hold.</exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public async ValueTask CheckpointAsync(CancellationToken cancellationToken = default)
    {
        using OperationGate.Ticket ticket = Enter();
        if (_log is not { HasBegun: true })
        {
            return;
        }

        ThrowIfFailed();
        try
        {
            await _checkpointer!.RunAsync(StoreState.InFlux, cancellationToken).ConfigureAwait(false);
        }
        catch (LogFailedException exception)
        {
            throw new StoreFailedException(Path, exception);
        }
    }

    /// <summary>
    /// Closes the store: refuses new operations, waits for those in progress, makes a checkpoint, and closes the files. Closing again waits for the first close.
    /// A disk that does not end a request, also one that was given up, keeps it waiting.
    /// </summary>
    /// <exception cref="StoreFailedException">The log or the file has failed; the store is closed, and opening it recovers what is durable.</exception>
    /// <exception cref="PageCacheException">The checkpoint failed; the store is closed, and opening it recovers everything.</exception>
    public async ValueTask CloseAsync()
    {
        if (!_gate.TryClose())
        {
            await _closed.Task.ConfigureAwait(false);
            return;
        }

        await _gate.WaitForDrainAsync().ConfigureAwait(false);
        try
        {
            await CloseCoreAsync().ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            _closed.SetException(exception);
            throw;
        }

        _closed.SetResult();
    }

    /// <summary>The same as <see cref="CloseAsync"/>.</summary>
    public ValueTask DisposeAsync() => CloseAsync();

    private async ValueTask CloseCoreAsync()
    {
        try
        {
            if (_checkpointer is not null)
            {
                await _checkpointer.DisposeAsync().ConfigureAwait(false);
                await CloseCleanlyAsync().ConfigureAwait(false);
            }
        }
        finally
        {
            _reader.Dispose();
            await CloseFilesAsync(_mapping, _log, _logDevice, _periodicFlush, _ownCache).ConfigureAwait(false);
        }
    }

    /// <summary>The last checkpoint, after which the file is worth something without its log.</summary>
    private async ValueTask CloseCleanlyAsync()
    {
        if (_meta!.Current.State == StoreState.Clean && _meta.IsCertain)
        {
            return;
        }

        ThrowIfFailed();
        try
        {
            long length = _allocator.PageCount * PageSize;
            if (_mapping.Length > length)
            {
                await _mapping.TruncateAsync(length, CancellationToken.None).ConfigureAwait(false);
            }

            await _checkpointer!.RunAsync(StoreState.Clean, CancellationToken.None).ConfigureAwait(false);
        }
        catch (LogFailedException exception)
        {
            throw new StoreFailedException(Path, exception);
        }
    }

    /// <summary>What every change does before it writes anything: the log is ready, and the file says on the device that it is nothing without it (KV-11).</summary>
    private async ValueTask BeginChangesAsync(CancellationToken cancellationToken)
    {
        if (!_log!.HasBegun)
        {
            await _log.BeginAsync(cancellationToken).ConfigureAwait(false);
        }

        if (_meta!.MayBeClean)
        {
            await _meta.WriteAsync(static current => current with { State = StoreState.InFlux }, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Notes where redo is to begin: between two changes, after which the pages are logged whole again.</summary>
    private async ValueTask<CheckpointStart> BeginCheckpointAsync(CancellationToken cancellationToken)
    {
        await _writerLock.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            CheckpointStart start = new(_log!.NextLsn, new StoreContents(_allocator.PageCount, Counts));
            _committer!.ImageEpoch = start.RedoPoint;
            return start;
        }
        finally
        {
            _writerLock.Release();
        }
    }

    private void ThrowIfUnchangeable()
    {
        if (IsReadOnly)
        {
            Throw.ReadOnly(Path);
        }

        ThrowIfFailed();
    }

    private void ThrowIfFailed()
    {
        if (_committer?.Failure is { } failure)
        {
            throw new StoreFailedException(Path, failure);
        }

        if (_mapping.State == MappingState.Failed)
        {
            throw new StoreFailedException(Path, _mapping.Failure!);
        }
    }
}
