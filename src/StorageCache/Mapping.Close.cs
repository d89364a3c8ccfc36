using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>Closing.</content>
public sealed partial class Mapping
{
    private int _opens;

    /// <summary>The close that is under way, or the last that was tried. Under the cache's registry lock.</summary>
    internal Task? Closing { get; set; }

    /// <summary>
    /// Undoes one open. The last one flushes, waits for leases and pins to be returned, gives the pages' memory back and
    /// closes the file.
    /// </summary>
    /// <param name="cancellationToken">Stops waiting; the mapping stays open.</param>
    /// <exception cref="PageWriteException">A dirty page could not be written. The mapping stays open and nothing is lost; closing again tries again.</exception>
    /// <exception cref="FlushFailedException">The sync failed. The mapping stays open in state <see cref="MappingState.Failed"/>; closing again closes it without what could not be made durable.</exception>
    /// <exception cref="MappingFailedException">Another's flush has failed since the close was asked for; closing again closes it without what could not be made durable.</exception>
    /// <exception cref="MappingBusyException">
    /// A lease or pin was not returned within <see cref="PageCacheOptions.FrameTimeout"/>, not counting the time that writing took; or a
    /// flush or truncation that was under way has waited for one that long. The mapping stays open and nothing is lost.
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask CloseAsync(CancellationToken cancellationToken = default) => Cache.CloseAsync(this, cancellationToken);

    /// <summary>
    /// Undoes one open as <see cref="CloseAsync"/> does, but drops what is dirty instead of writing it: for an engine above that has it in its
    /// log, or never promised it, and cannot or need not have it written. Writes that are under way are waited for.
    /// </summary>
    /// <param name="cancellationToken">Stops waiting; the mapping stays open, and what is dirty stays so.</param>
    /// <exception cref="MappingBusyException">A lease or pin was not returned within <see cref="PageCacheOptions.FrameTimeout"/>. The mapping stays open.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask AbandonAsync(CancellationToken cancellationToken = default) => Cache.AbandonAsync(this, cancellationToken);

    /// <summary><see cref="CloseAsync"/>. Does nothing if the mapping is closed.</summary>
    public ValueTask DisposeAsync() => CloseAsync();

    /// <summary>Counts one more open. Under the cache's registry lock.</summary>
    internal void AddOpen() => _opens++;

    /// <summary>Counts one open less; true for the last. Under the cache's registry lock.</summary>
    internal bool DropOpen()
    {
        if (_opens > 1)
        {
            _opens--;
            return false;
        }

        return _opens == 1;
    }

    /// <summary>Closes. On an exception the mapping is open as before, unless its cache has been disposed of.</summary>
    /// <param name="flush">Whether to make dirty pages durable first, or to drop them.</param>
    /// <param name="patience">How long to wait for leases and pins.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <param name="wasOpen">
    /// Whether the mapping was open when the close was asked for: if it has failed since, by another's flush, the caller does not know yet what is
    /// lost, and is to be told before.
    /// </param>
    internal async Task CloseCoreAsync(bool flush, TimeSpan patience, CancellationToken cancellationToken, bool wasOpen = false)
    {
        using (await EnterToCloseAsync(patience, cancellationToken).ConfigureAwait(true))
        {
            MappingState before = _state;
            if (before == MappingState.Closed)
            {
                return;
            }

            if (wasOpen && before == MappingState.Failed)
            {
                ThrowIfNotWritable();
            }

            _state = MappingState.Closing;
            Interlocked.MemoryBarrier();
            try
            {
                ExpelWaiters();
                bool keepChanges = flush && before == MappingState.Open;
                Patience left = new(_core.Options.TimeProvider, patience);
                do
                {
                    _writesStopped = false;
                    if (keepChanges)
                    {
                        await FlushCoreAsync(left, cancellationToken).ConfigureAwait(true);
                    }

                    _writesStopped = true;
                    await _writes.WhenEnded().WaitAsync(cancellationToken).ConfigureAwait(true);

                    // A flush that was cancelled has left its sync running.
                    await _syncs.WhenIdleAsync().WaitAsync(cancellationToken).ConfigureAwait(true);
                }
                while (!await TryRemoveAllAsync(keepChanges, left, cancellationToken).ConfigureAwait(true));
            }
            catch
            {
                _writesStopped = false;

                // With the cache disposed of, nobody writes back any more: whoever still holds a lease is to get no other to write with.
                MappingState after = Cache.IsDisposed ? MappingState.Closing : before;
                _state = _state == MappingState.Failed ? MappingState.Failed : after;
                throw;
            }

            _state = MappingState.Closed;
            _core.Extents.Leave(this);
            if (Codec is not null && !IsReadOnly)
            {
                _core.WriteBack.Bounce.Leave();
            }

            _table.Close();
            if (_ownsDevice)
            {
                await Device.DisposeAsync().ConfigureAwait(true);
            }
        }
    }

    /// <summary>
    /// Removes every page. Nobody can bring one in any more; those who hold one are waited for.
    /// </summary>
    /// <param name="keepChanges">
    /// Whether to stop at a page that is dirty: somebody changed it under a lease that was returned only now, and it has to
    /// be flushed first.
    /// </param>
    /// <param name="patience">How long to wait for leases and pins in all.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>Whether all pages have gone.</returns>
    private async Task<bool> TryRemoveAllAsync(bool keepChanges, Patience patience, CancellationToken cancellationToken)
    {
        for (long page = NextPresent(0); page >= 0; page = NextPresent(page))
        {
            try
            {
                await LatchInternalAsync(page, patience, cancellationToken).ConfigureAwait(true);
            }
            catch (Exception error) when (error is PageTruncatedException or PageReadException or CacheFullException)
            {
                // Evicted meanwhile, or its load failed while we stood in line.
                continue;
            }

            try
            {
                if (keepChanges && IsDirty(page))
                {
                    ReleaseLatched(page);
                    return false;
                }

                await WaitForPinsAsync(page, patience, cancellationToken).ConfigureAwait(true);
            }
            catch
            {
                ReleaseLatched(page);
                throw;
            }

            RemoveLatched(page);
        }

        // Pages that were truncated away under a pin have a head still.
        for (long page = NextWith(StateWord.Attached, 0); page >= 0; page = NextWith(StateWord.Attached, page + 1))
        {
            await WaitForPinsAsync(page, patience, cancellationToken).ConfigureAwait(true);
            DetachIfEmpty(page);
        }

        return true;
    }

    /// <summary>Waits until nobody has a page pinned. Rare, and not worth a wait list.</summary>
    private async Task WaitForPinsAsync(long page, Patience patience, CancellationToken cancellationToken)
    {
        TimeProvider time = _core.Options.TimeProvider;
        while (IsPinned(page))
        {
            if (patience.IsExhausted)
            {
                throw Throw.MakeBusy(this, page);
            }

            long begun = time.GetTimestamp();
            await Task.Delay(TimeSpan.FromMilliseconds(1), time, cancellationToken).ConfigureAwait(true);
            patience.Spend(begun);
        }
    }

    private unsafe bool IsPinned(long page)
    {
        Slot* slot = _table.Find(page);
        return slot != null && (StateWord.Load(slot) & StateWord.Attached) != 0 && Volatile.Read(ref HeadOf(slot)->Pins) != 0;
    }

    private unsafe void ReleaseLatched(long page) => ReleaseExclusive(_table.Find(page));

    /// <summary>Sends everybody who waits for a page to find out that the mapping is closing.</summary>
    private unsafe void ExpelWaiters()
    {
        long next = 0;
        while (true)
        {
            LeafHeader* leaf = _table.EnterNextLeaf(next);
            if (leaf == null)
            {
                return;
            }

            Slot* slots = _core.PageTables.SlotsOf(leaf);
            for (int i = 0; i < PageTable.SlotsPerLeaf; i++)
            {
                if ((StateWord.Load(slots + i) & StateWord.HasWaiters) != 0)
                {
                    ReadyChain ready = default;
                    StateWord.LockList(slots + i);
                    if ((StateWord.Load(slots + i) & StateWord.Attached) != 0)
                    {
                        DetachWaiters(slots + i, ref ready);
                    }

                    StateWord.UnlockList(slots + i);
                    ready.Dispatch();
                }
            }

            next = leaf->FirstPage + PageTable.SlotsPerLeaf;
            _core.PageTables.Leave(leaf);
        }
    }
}
