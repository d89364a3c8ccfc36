namespace StorageCache;

/// <content>Ending the cache.</content>
public sealed partial class PageCache
{
    private readonly Lock _disposalLock = new();

    /// <summary>The end of the cache, if it is awaited by anybody. Guarded by the lock.</summary>
    private Task _disposal = Task.CompletedTask;

    /// <summary>
    /// Flushes and closes every mapping and gives all memory back. Leases and pins are waited for as in
    /// <see cref="Mapping.CloseAsync"/>; what cannot be flushed is dropped, and reported when everything is closed.
    /// </summary>
    /// <exception cref="PageCacheException">A mapping could not be flushed or closed in order.</exception>
    /// <exception cref="AggregateException">More than one could not.</exception>
    /// <remarks>A further call waits for the first, and ends as it does; after <see cref="Dispose"/> it does nothing.</remarks>
    public ValueTask DisposeAsync()
    {
        lock (_disposalLock)
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                _disposal = _core.OwnThread.Run(DisposeInOrderAsync);
            }

            return new ValueTask(_disposal);
        }
    }

    private async Task DisposeInOrderAsync()
    {
        List<Exception> errors = [];
        _core.FrameQueue.Close();
        await LetOpensEndAsync().ConfigureAwait(true);
        foreach (Mapping mapping in _core.OpenMappings())
        {
            try
            {
                await mapping.CloseCoreAsync(flush: true, Options.FrameTimeout, CancellationToken.None).ConfigureAwait(true);
            }
            catch (Exception error) when (error is IOException or OperationCanceledException)
            {
                errors.Add(error);
            }
        }

        // The thread has ended by then.
        try
        {
            await TearDownAsync().ConfigureAwait(false);
        }
        catch (Exception error)
        {
            // What could not be flushed matters more than memory that could not be given back; both are said.
            errors.Add(error);
        }

        ThrowAll(errors);
    }

    /// <summary>
    /// Ends the cache without flushing: changes since the last flush may be lost. Returns at once; writes and reads that
    /// are under way end in the background, and memory is given back when the last lease and pin are, if that is within
    /// <see cref="PageCacheOptions.FrameTimeout"/>; later, when the garbage collector finds the cache unused.
    /// </summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _core.OwnThread.Post(static cache => _ = ((PageCache)cache!).TearDownAsync(), this);
        }
    }

    /// <summary>Closes what is still open without flushing, and gives the memory back once nobody uses it.</summary>
    private async Task TearDownAsync()
    {
        bool idle = true;
        _core.FrameQueue.Close();
        await LetOpensEndAsync().ConfigureAwait(true);
        foreach (Mapping mapping in _core.OpenMappings())
        {
            try
            {
                await mapping.CloseCoreAsync(flush: false, Options.FrameTimeout, CancellationToken.None).ConfigureAwait(true);
                _core.Unregister(mapping.Number);
            }
            catch (Exception)
            {
                // A lease was never returned, or a device of the caller's failed in a way of its own. The memory stays until
                // the garbage collector proves it unused; the threads end in any case.
                idle = false;
            }
        }

        await Options.Threads.RunApart(StopThreads).ConfigureAwait(false);
        if (idle)
        {
            _core.Discard();
        }
    }

    /// <summary>Waits for an open that is under way: it may have looked before the cache was disposed of. Later ones are refused.</summary>
    private async Task LetOpensEndAsync()
    {
        using (await _registry.LockAsync().ConfigureAwait(true))
        {
        }

        await _core.Extents.CloseAsync().ConfigureAwait(true);
    }

    private void StopThreads()
    {
        _core.Sharing.Scanner.Stop();
        _core.WriteBack.Stop();
        _core.Reclaimer.Stop();
        _engine.Dispose();
        CloseHostsDevices();
        _core.OwnThread.Stop();
    }
}
