using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Writeback;

namespace StorageCache;

/// <content>Checkpoints: what is dirty is written at a pace and made durable, and the engine above is told from where on it needs its log.</content>
public sealed partial class Mapping
{
    /// <summary>Ranges of pages that are looked at before what else the cache's own thread has to do gets its turn.</summary>
    private const int RangesAtOnce = 1024;

    /// <summary>
    /// Writes the pages that are dirty now, makes them durable, and says from where on the log is needed afterwards. Readers and writers
    /// carry on meanwhile: what they change is not waited for, and counts in <see cref="CheckpointResult.OldestLsn"/>. Writing may be spread over
    /// time; but nobody waits for the pace while writers are paused because too much is dirty.
    /// </summary>
    /// <remarks>
    /// An engine that appends to its log and then marks the page takes note of where its log ends before the call, at a moment when
    /// everything that is in the log has been marked; and may cut the log at that place, or at the result's, whichever is lower. Pages
    /// that are marked without a number are written, and need no log. A write lease that is held on a dirty page is waited for, without a
    /// limit: not to be called by who holds one. Truncating, punching and closing do not wait for a checkpoint's pauses.
    /// </remarks>
    /// <param name="options">How fast to write; null for as fast as can be.</param>
    /// <param name="cancellationToken">Stops it; writes that have begun go on.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="PageWriteException">A page could not be written, or the <see cref="MappingOptions.Log"/> did not become durable up to its last change. It stays dirty and readable.</exception>
    /// <exception cref="FlushFailedException">The sync failed. The mapping is <see cref="MappingState.Failed"/> from now on.</exception>
    /// <exception cref="MappingFailedException">An earlier flush failed.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<CheckpointResult> CheckpointAsync(CheckpointOptions? options = null, CancellationToken cancellationToken = default)
    {
        CheckpointOptions pace = options ?? new CheckpointOptions();
        pace.Validate();
        return new(_core.OwnThread.Run(() => CheckpointInOrderAsync(pace, cancellationToken)));
    }

    /// <summary>The lowest number of a change that is not durable, or null.</summary>
    internal ulong? OldestLsn() => LookForOldest(pages: null) is ulong oldest and not 0 ? oldest : null;

    private async Task<CheckpointResult> CheckpointInOrderAsync(CheckpointOptions options, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (IsReadOnly)
        {
            return default;
        }

        // Whoever is closed, or has failed, is not to wait for the log first.
        (await EnterForCheckpointAsync(cancellationToken).ConfigureAwait(true)).Dispose();
        long errorsBefore = Volatile.Read(ref _writeErrors);
        PageRanges pages = FindDirty();
        CheckpointPace pace = new(_core, options, pages.Count);
        AwaitedPermitWaiter waiter = new(_core.WriteBack.Permits, _core.OwnThread);
        List<long> busy = [];
        long written = 0;
        if (await TryEnsureLogAsync(cancellationToken).ConfigureAwait(true) is { } held)
        {
            throw held;
        }

        while (pages.HasMore)
        {
            // Not across the pauses: whoever cuts the file or closes it would wait for them, and others behind him.
            using (await EnterForCheckpointAsync(cancellationToken).ConfigureAwait(true))
            {
                written += await WriteNextAsync(pages, pace.PagesAtOnce, busy, waiter, cancellationToken).ConfigureAwait(true);
            }

            await pace.WaitAsync(pages.Passed, cancellationToken).ConfigureAwait(true);
        }

        using (await EnterForCheckpointAsync(cancellationToken).ConfigureAwait(true))
        {
            await _writes.WhenEnded().WaitAsync(cancellationToken).ConfigureAwait(true);
            await WriteBusyAsync(busy, patience: null, waiter, cancellationToken).ConfigureAwait(true);
            if (Volatile.Read(ref _writeErrors) != errorsBefore)
            {
                // Perhaps long ago, and the page has been written since. If not, this is to say so.
                errorsBefore = Volatile.Read(ref _writeErrors);
                await WriteDirtyAsync(waitsForBusy: true, patience: null, cancellationToken).ConfigureAwait(true);
                ThrowIfWritesFailed(errorsBefore);
            }

            await SyncWrittenAsync(cancellationToken).ConfigureAwait(true);
        }

        return new CheckpointResult(written, OldestLsn());
    }

    private async Task<IDisposable> EnterForCheckpointAsync(CancellationToken cancellationToken)
    {
        if (_state is MappingState.Closing or MappingState.Closed || Cache.IsDisposed)
        {
            throw Throw.MakeClosed(this);
        }

        IDisposable entered = await _lifetime.ReaderLockAsync(cancellationToken).ConfigureAwait(true);
        if (_state is MappingState.Failed or MappingState.Closed)
        {
            entered.Dispose();
            throw _state == MappingState.Failed ? Throw.MakeMappingFailed(this) : Throw.MakeClosed(this);
        }

        return entered;
    }

    /// <summary>Begins writes of some of the pages. Returns of how many.</summary>
    private async Task<long> WriteNextAsync(PageRanges pages, long most, List<long> busy, AwaitedPermitWaiter waiter, CancellationToken cancellationToken)
    {
        if (IsGrowing)
        {
            await WaitForGrowthAsync(cancellationToken).ConfigureAwait(true);
        }

        int permits = (int)Math.Min(most, WriteBackEngine.BatchSize);
        int taken = await _core.WriteBack.Permits.TakeAsync(waiter, permits, cancellationToken).ConfigureAwait(true);
        return StartWrites(taken, pages, most, busy);
    }

    /// <summary>The pages that are dirty now.</summary>
    private unsafe PageRanges FindDirty()
    {
        PageRanges pages = new();
        foreach (Slot* slot in WalkDirty())
        {
            pages.Add(PageOf(slot));
        }

        return pages;
    }
}
