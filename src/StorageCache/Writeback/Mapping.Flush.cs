using Nito.AsyncEx;
using StorageCache.Buffers;
using StorageCache.IO;
using StorageCache.Mappings;
using StorageCache.Waiting;
using StorageCache.Writeback;

namespace StorageCache;

/// <content>Making everything that was dirtied durable.</content>
public sealed partial class Mapping
{
    private readonly SyncGroup _syncs;

    /// <summary>Held while the device is made longer.</summary>
    private readonly AsyncLock _growth = new();

    /// <summary>
    /// While the length of the device is set, up to where writes may reach that begin. Bytes. Cuts and flushes, which set it, keep each
    /// other out by the lifetime.
    /// </summary>
    private long _writableTo = long.MaxValue;

    /// <summary>Whether the device is being made longer; asked by flushes, which no cut comes between.</summary>
    private bool IsGrowing => Volatile.Read(ref _writableTo) != long.MaxValue;

    /// <summary>
    /// Makes every change that was marked dirty before the call durable: writes it and syncs the device. Writers may carry
    /// on meanwhile, but a write lease that is held on a dirty page is waited for, without a limit: not to be called by who holds one.
    /// Calls at the same time share a sync.
    /// </summary>
    /// <param name="cancellationToken">Stops waiting; writes that have begun go on.</param>
    /// <exception cref="PageWriteException">A page could not be written, or the <see cref="MappingOptions.Log"/> did not become durable up to its last change. It stays dirty and readable; flushing again tries again.</exception>
    /// <exception cref="FlushFailedException">The sync failed. The mapping is <see cref="MappingState.Failed"/> from now on.</exception>
    /// <exception cref="MappingFailedException">An earlier flush failed.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask FlushAsync(CancellationToken cancellationToken = default) =>
        new(_core.OwnThread.Run(() => FlushInOrderAsync(cancellationToken)));

    private async Task FlushInOrderAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_state is MappingState.Closing or MappingState.Closed || Cache.IsDisposed)
        {
            throw Throw.MakeClosed(this);
        }

        using (await _lifetime.ReaderLockAsync(cancellationToken).ConfigureAwait(true))
        {
            if (_state == MappingState.Closed)
            {
                throw Throw.MakeClosed(this);
            }

            await FlushCoreAsync(patience: null, cancellationToken).ConfigureAwait(true);
        }
    }

    /// <param name="patience">How long to wait for leases of dirty pages; null for ever.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="MappingBusyException">The patience has run out.</exception>
    private async Task FlushCoreAsync(Patience? patience, CancellationToken cancellationToken)
    {
        if (_state == MappingState.Failed)
        {
            throw Throw.MakeMappingFailed(this);
        }

        if (IsReadOnly)
        {
            return;
        }

        long errorsBefore = Volatile.Read(ref _writeErrors);
        PageWriteException? held = await TryEnsureLogAsync(cancellationToken).ConfigureAwait(true);
        await WriteDirtyAsync(waitsForBusy: held is null, patience, cancellationToken).ConfigureAwait(true);
        ThrowIfWritesFailed(errorsBefore);
        if (held is not null)
        {
            // What does not need the log has been written all the same.
            throw held;
        }

        await SyncWrittenAsync(cancellationToken).ConfigureAwait(true);
    }

    /// <summary>Makes what has been written durable, in a file that is as long as the mapping.</summary>
    private async Task SyncWrittenAsync(CancellationToken cancellationToken)
    {
        try
        {
            await GrowDeviceAsync(cancellationToken).ConfigureAwait(true);
        }
        catch (IOException error)
        {
            _core.Counters.WriteFailed();
            _core.Health.Raise(HealthEventKind.WriteFailed, this, page: null, error);
            throw Throw.MakeWriteFailed(this, Math.Max(0, PageCount - 1), error);
        }

        await _syncs.SyncAsync().WaitAsync(cancellationToken).ConfigureAwait(true);
        if (_state == MappingState.Failed)
        {
            throw Throw.MakeFlushFailed(this, Failure!);
        }

        _core.Counters.Flushed();
    }

    /// <summary>
    /// Makes the device as long as the mapping, with no write beyond its end under way: so first it is said that none may begin, then
    /// those that have are waited for (WB-8). A device has no way to grow and never to shrink, so that one beyond the new end would be
    /// cut off; and a file system may zero what it adds after one between the two ends has landed, as XFS does.
    /// </summary>
    private async Task GrowDeviceAsync(CancellationToken cancellationToken)
    {
        if (DeviceBoundary.LengthOf(Device) >= Length)
        {
            return;
        }

        using (await _growth.LockAsync(cancellationToken).ConfigureAwait(true))
        {
            long end = DeviceBoundary.LengthOf(Device);
            if (end >= Length)
            {
                // Whoever had the lock has seen to it.
                return;
            }

            // Those that are waited for may move the end yet, and never back: what begins does not reach beyond it.
            Volatile.Write(ref _writableTo, end);
            Interlocked.MemoryBarrier();
            try
            {
                await _writes.WhenEnded().WaitAsync(cancellationToken).ConfigureAwait(true);
                long length = Length;
                if (DeviceBoundary.LengthOf(Device) < length)
                {
                    await DeviceBoundary.SetLengthAsync(Device, length).ConfigureAwait(true);
                }
            }
            finally
            {
                Volatile.Write(ref _writableTo, long.MaxValue);
                if (_core.WriteBack.IsAboveBackground)
                {
                    // The flusher may have found nothing that it could write, and sleep.
                    _core.WriteBack.Kick(urgent: false);
                }
            }
        }
    }

    /// <summary>Waits until another flush has made the device longer: pages beyond its end cannot be written before.</summary>
    private async Task WaitForGrowthAsync(CancellationToken cancellationToken) =>
        (await _growth.LockAsync(cancellationToken).ConfigureAwait(true)).Dispose();

    /// <summary>Writes every page that is dirty now; returns when each of them has been written or has failed.</summary>
    /// <param name="waitsForBusy">Whether also those that cannot be written at once, for somebody has them or the log is not durable.</param>
    /// <param name="patience">How long to wait for leases of dirty pages; null for ever.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    private async Task WriteDirtyAsync(bool waitsForBusy, Patience? patience, CancellationToken cancellationToken)
    {
        List<long> busy = [];
        WritePermits permits = _core.WriteBack.Permits;
        AwaitedPermitWaiter waiter = new(permits, _core.OwnThread);
        long cursor = 0;

        // Pages that come in at the end from here on are not waited for, and so nobody can keep a flush from ending.
        long end = PageCount;
        while (DirtyPages > 0)
        {
            // What cannot be written now is written page by page afterwards; a flush that is early enough here has little of that.
            if (IsGrowing)
            {
                await WaitForGrowthAsync(cancellationToken).ConfigureAwait(true);
            }

            int taken = await permits.TakeAsync(waiter, WriteBackEngine.BatchSize, cancellationToken).ConfigureAwait(true);
            if (!StartWrites(taken, ref cursor, end, busy))
            {
                break;
            }
        }

        // Also those that others began: their pages carry no dirty tag any more.
        await _writes.WhenEnded().WaitAsync(cancellationToken).ConfigureAwait(true);
        if (!waitsForBusy)
        {
            return;
        }

        await WriteBusyAsync(busy, patience, waiter, cancellationToken).ConfigureAwait(true);
    }

    /// <summary>Writes pages that could not be written at once; returns when each of them has been written or has failed.</summary>
    private async Task WriteBusyAsync(List<long> busy, Patience? patience, AwaitedPermitWaiter waiter, CancellationToken cancellationToken)
    {
        foreach (long page in busy)
        {
            await WriteBusyPageAsync(page, patience, waiter, cancellationToken).ConfigureAwait(true);
        }

        if (busy.Count > 0)
        {
            await _writes.WhenEnded().WaitAsync(cancellationToken).ConfigureAwait(true);
        }
    }

    /// <summary>
    /// Writes a page that was latched or under write-back: a shared latch, for which it stands in line as anybody, lets it
    /// begin the write.
    /// </summary>
    private async Task WriteBusyPageAsync(long page, Patience? patience, AwaitedPermitWaiter waiter, CancellationToken cancellationToken)
    {
        int waitsForLog = 0;
        while (IsDirty(page) && page < PageCount)
        {
            PageReadLease lease;
            try
            {
                lease = await ReadInternalAsync(page, patience, cancellationToken).ConfigureAwait(true);
            }
            catch (Exception error) when (error is PageTruncatedException || IsLoadFailure(error))
            {
                // Gone meanwhile, which it can be only if somebody else has written it, or if it was truncated away.
                return;
            }

            Task next;
            using (lease)
            {
                ulong missing = MissingFromLog(lease.Lsn);
                Task? durable = missing == 0 ? null : EnsureLogAsync(page, missing, cancellationToken);
                if (durable is not null && ++waitsForLog > MostWaitsWithoutLatch)
                {
                    // Whoever changes it time and again brings a number each time that the log does not have yet, and has to wait now.
                    await durable.ConfigureAwait(true);
                    durable = null;
                }

                if (durable is null)
                {
                    await _core.WriteBack.Permits.TakeAsync(waiter, most: 1, cancellationToken).ConfigureAwait(true);
                    if (TryStartSingleWrite(page))
                    {
                        return;
                    }

                    GiveBackUnused(permits: 1);
                }

                next = durable ?? _writes.WhenEnded();
            }

            await next.WaitAsync(cancellationToken).ConfigureAwait(true);
            if (IsGrowing)
            {
                await WaitForGrowthAsync(cancellationToken).ConfigureAwait(true);
            }
        }
    }

    private unsafe bool TryStartSingleWrite(long page)
    {
        WriteRun run = _core.WriteBack.Rent(single: true);
        run.Begin(this);
        _writes.Begin(run);
        if (TryBeginWrite(_table.Find(page), page, run))
        {
            _core.WriteBack.Permits.Charge(1L << _pageShift);
            run.Submit();
            return true;
        }

        _writes.End(run);
        _core.WriteBack.Return(run);
        return false;
    }

    private void ThrowIfWritesFailed(long errorsBefore)
    {
        lock (_writeErrorLock)
        {
            if (_writeErrors != errorsBefore)
            {
                throw Throw.MakeWriteFailed(this, _lastWriteError.Page, _lastWriteError.Error);
            }
        }
    }

    /// <summary>One sync for everyone who waits for one. A failure is final: it is never tried again into success (WB-5).</summary>
    private async Task SyncAsync()
    {
        if (_state == MappingState.Failed)
        {
            return;
        }

        // Pages whose writes end from here on are for the next sync to cover.
        int generation = Volatile.Read(ref _unsyncedGeneration);
        Volatile.Write(ref _unsyncedGeneration, generation ^ 1);
        Interlocked.MemoryBarrier();
        try
        {
            await new SyncRequest(this).RunAsync().ConfigureAwait(true);
            ForgetUnsynced(generation);
            _bound.Synced(generation);
        }
        catch (IOException error)
        {
            lock (_stateLock)
            {
                _state = MappingState.Failed;
            }

            Redirty();
            _core.Counters.SyncFailed();
            _core.Health.Raise(HealthEventKind.SyncFailed, this, page: null, error);
        }
    }

    /// <summary>
    /// Notes that a sync has failed, on whatever thread it ends: from here on the device is not believed any more in what was written
    /// to it since the last good sync (WB-20).
    /// </summary>
    internal void FailSync(IOException error) => Volatile.Write(ref _failure, error);

    /// <summary>Notes that what the device holds changes by something else than a write of a page, and is not synced; before and after it does.</summary>
    private void NoteUntagged() => _table.NoteUntagged(Volatile.Read(ref _unsyncedGeneration));

    /// <summary>Notes that what was written in a generation is synced.</summary>
    private unsafe void ForgetUnsynced(int generation)
    {
        for (LeafHeader* leaf = _table.EnterNextLeaf(0); leaf != null; leaf = NextLeaf(leaf))
        {
            PageTable.ClearUnsynced(leaf, generation);
        }

        // Afterwards: a leaf that goes meanwhile leaves its tags there.
        _table.ClearUntagged(generation);
    }

    /// <summary>Makes dirty again what was written since the last good sync and is resident. What is not keeps its tags (WB-20).</summary>
    private unsafe void Redirty()
    {
        for (LeafHeader* leaf = _table.EnterNextLeaf(0); leaf != null; leaf = NextLeaf(leaf))
        {
            Redirty(leaf, 0);
            Redirty(leaf, 1);
        }
    }

    /// <summary>Goes from a leaf that is in use to the next one.</summary>
    private unsafe LeafHeader* NextLeaf(LeafHeader* leaf)
    {
        long next = leaf->FirstPage + PageTable.SlotsPerLeaf;
        _core.PageTables.Leave(leaf);
        return _table.EnterNextLeaf(next);
    }

    private unsafe void Redirty(LeafHeader* leaf, int generation)
    {
        Slot* slots = _core.PageTables.SlotsOf(leaf);
        for (long page = PageTable.NextUnsynced(leaf, generation, leaf->FirstPage); page >= 0; page = PageTable.NextUnsynced(leaf, generation, page + 1))
        {
            Slot* slot = slots + (page - leaf->FirstPage);
            ulong state = StateWord.LockList(slot);
            if ((state & StateWord.UpToDate) != 0)
            {
                // Which of the pages brought the lowest number is not known any more; not one whose own was lower still, or that has none.
                ulong oldest = _bound.Unsynced(generation);
                ReturnLsn(slot, oldest <= HeadOf(slot)->Lsn ? oldest : 0);
                SetDirty(slot);
            }

            StateWord.UnlockList(slot);
        }
    }
}
