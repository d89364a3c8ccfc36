using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>Closing.</content>
public sealed partial class Mapping
{
    private int _opens;

    /// <summary>Whether somebody has had an exception that says that the mapping has failed.</summary>
    private volatile bool _isFailureTold;

    /// <summary>The close that is under way, or the last that was tried. Under the cache's registry lock.</summary>
    internal Task? Closing { get; set; }

    /// <summary>
    /// Undoes one open. The last one flushes, waits for leases and pins to be returned, gives the pages' memory back and
    /// closes the file.
    /// </summary>
    /// <param name="cancellationToken">Stops waiting; the mapping stays open.</param>
    /// <exception cref="PageWriteException">A dirty page could not be written. The mapping stays open and nothing is lost; closing again tries again.</exception>
    /// <exception cref="FlushFailedException">The sync failed. The mapping stays open in state <see cref="MappingState.Failed"/>; closing again closes it without what could not be made durable.</exception>
    /// <exception cref="MappingFailedException">Another's flush has failed since the close was asked for, or earlier and nobody has been told; closing again closes it without what could not be made durable.</exception>
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
    /// <exception cref="MappingBusyException">A lease or pin was not returned within <see cref="PageCacheOptions.FrameTimeout"/>. The mapping stays open, and nothing is dropped.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask AbandonAsync(CancellationToken cancellationToken = default) => Cache.AbandonAsync(this, cancellationToken);

    /// <summary><see cref="CloseAsync"/>. Does nothing if the mapping is closed.</summary>
    public ValueTask DisposeAsync() => CloseAsync();

    /// <summary>Notes that somebody is told that the mapping has failed: it may be closed then, without what could not be made durable.</summary>
    internal void NoteFailureTold() => _isFailureTold = true;

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
            MappingState before;
            lock (_stateLock)
            {
                before = _state;
                if (before == MappingState.Closed)
                {
                    return;
                }

                if (before == MappingState.Failed && flush && (wasOpen || !_isFailureTold))
                {
                    // The flush that brought it to light may have been given up by whoever waited for it.
                    throw Throw.MakeMappingFailed(this);
                }

                _state = MappingState.Closing;
            }

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
                GiveUpClosing(Cache.IsDisposed ? MappingState.Closing : before);
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

    private void GiveUpClosing(MappingState after)
    {
        lock (_stateLock)
        {
            _state = _state == MappingState.Failed ? MappingState.Failed : after;
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
        // Latched until all are: whoever is busy, or gives up, leaves the mapping open, and with everything that was changed or nothing of it.
        List<long> dropped = [];
        try
        {
            for (long page = NextPresent(0); page >= 0;)
            {
                if (!await TryLatchToRemoveAsync(page, patience, cancellationToken).ConfigureAwait(true))
                {
                    page = NextPresent(page);
                    continue;
                }

                dropped.Add(page);
                if (keepChanges && IsDirty(page))
                {
                    ReleaseLatched(dropped);
                    return false;
                }

                await WaitForPinsAsync(page, patience, cancellationToken).ConfigureAwait(true);
                if (!IsDirty(page))
                {
                    dropped.RemoveAt(dropped.Count - 1);
                    RemoveLatched(page);
                }

                page = NextPresent(page + 1);
            }

            // A pin waits for no latch; and pages that were truncated away under one have a head still.
            for (long page = NextWith(StateWord.Attached, 0); page >= 0; page = NextWith(StateWord.Attached, page + 1))
            {
                await WaitForPinsAsync(page, patience, cancellationToken).ConfigureAwait(true);
            }
        }
        catch
        {
            ReleaseLatched(dropped);
            throw;
        }

        foreach (long page in dropped)
        {
            RemoveLatched(page);
        }

        for (long page = NextWith(StateWord.Attached, 0); page >= 0; page = NextWith(StateWord.Attached, page + 1))
        {
            await WaitForPinsAsync(page, patience, cancellationToken).ConfigureAwait(true);
            DetachIfEmpty(page);
        }

        return true;
    }

    /// <summary>Latches a page exclusively. False if it has been evicted meanwhile, or its load has failed.</summary>
    private async Task<bool> TryLatchToRemoveAsync(long page, Patience patience, CancellationToken cancellationToken)
    {
        try
        {
            await LatchInternalAsync(page, patience, cancellationToken).ConfigureAwait(true);
            return true;
        }
        catch (Exception error) when (error is PageTruncatedException || IsLoadFailure(error))
        {
            return false;
        }
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

    private unsafe void ReleaseLatched(List<long> pages)
    {
        foreach (long page in pages)
        {
            ReleaseExclusive(_table.Find(page));
        }
    }

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
