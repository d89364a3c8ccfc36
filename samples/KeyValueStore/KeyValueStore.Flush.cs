using StorageCache.KeyValueStore.Concurrency;
using StorageCache.KeyValueStore.Format;

namespace StorageCache.KeyValueStore;

public sealed partial class KeyValueStore
{
    /// <summary>Makes every change made so far durable and marks the file clean. Waits for the change in progress; readers go on.</summary>
    /// <exception cref="StoreFailedException">An earlier change stopped half way; the file stays marked as in flux.</exception>
    /// <exception cref="PageCacheException">A page could not be written or synchronised; the file stays marked as in flux.</exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public async ValueTask FlushAsync(CancellationToken cancellationToken = default)
    {
        using WriterScope scope = await EnterWriterAsync(cancellationToken).ConfigureAwait(false);
        await FlushCoreAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Closes the store: refuses new operations, waits for those in progress, flushes, and closes the file. Closing again waits for the first close.
    /// </summary>
    /// <exception cref="StoreFailedException">An earlier change stopped half way; the store is closed, the file stays marked as in flux.</exception>
    /// <exception cref="PageCacheException">The flush failed; the store is closed, the file stays marked as in flux.</exception>
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
            try
            {
                await FlushCoreAsync(CancellationToken.None).ConfigureAwait(false);
            }
            finally
            {
                _reader.Dispose();
                OpenStores.Release(_mapping);
                await CloseMappingAsync().ConfigureAwait(false);
            }
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

    private async ValueTask CloseMappingAsync()
    {
        try
        {
            await _mapping.CloseAsync(CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            if (_ownCache is not null)
            {
                await _ownCache.ReleaseAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>What every change does first: on the device the meta page says in flux before any page differs from it (KV-11).</summary>
    private async ValueTask BeginChangeAsync(CancellationToken cancellationToken)
    {
        ThrowIfUnchangeable();
        if (!_mayBeClean)
        {
            return;
        }

        _needsFlush = true;
        await WriteMetaAsync(_mapping, MetaOf(StoreState.InFlux, _allocator.FreeHead), cancellationToken).ConfigureAwait(false);
        _mayBeClean = false;
    }

    private async ValueTask FlushCoreAsync(CancellationToken cancellationToken)
    {
        if (!_needsFlush)
        {
            return;
        }

        ThrowIfFailed();
        await _allocator.ReclaimAsync(static _ => false, cancellationToken).ConfigureAwait(false);
        long freeHead = await _allocator.LinkDetachedAsync(cancellationToken).ConfigureAwait(false);
        await CutSurplusAsync(cancellationToken).ConfigureAwait(false);
        await _mapping.FlushAsync(cancellationToken).ConfigureAwait(false);

        // From here on the device may hold the clean meta page, whether or not the flush of it is seen to succeed.
        _mayBeClean = true;
        _flushSequence++;
        await WriteMetaAsync(_mapping, MetaOf(StoreState.Clean, freeHead), cancellationToken).ConfigureAwait(false);
        _needsFlush = false;
    }

    /// <summary>Makes the file as long as its pages: a change that waited in vain for a new page may have made it longer.</summary>
    private async ValueTask CutSurplusAsync(CancellationToken cancellationToken)
    {
        long length = _allocator.PageCount * PageSize;
        if (_mapping.Length > length)
        {
            await _mapping.TruncateAsync(length, cancellationToken).ConfigureAwait(false);
        }
    }

    private MetaPage MetaOf(StoreState state, long freeHead) => new()
    {
        PageSize = PageSize,
        State = state,
        PageCount = _allocator.PageCount,
        FreeHead = freeHead,
        FreePages = _allocator.FreePages + _allocator.DetachedPages,
        Counts = _writer.Counts,
        FlushSequence = _flushSequence,
    };

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
        if (_writer.Failure is { } failure)
        {
            throw new StoreFailedException(Path, failure);
        }
    }
}
