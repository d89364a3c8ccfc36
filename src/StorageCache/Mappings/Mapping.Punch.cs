using StorageCache.Buffers;
using StorageCache.IO;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>Punching holes: pages that read as zeros from then on, and whose space goes back to the device.</content>
public sealed partial class Mapping
{
    /// <summary>Pages zeroed without a wait after which what else the cache's own thread has to do gets its turn.</summary>
    private const int ZeroedAtOnce = 64;

    /// <summary>The pages that are being punched; null for most of the time.</summary>
    private volatile PunchRange? _punch;

    /// <summary>
    /// Makes the pages of a range read as zeros, and gives their space back to the device where it can do that. The length of the file
    /// stays. Waits for the leases of the pages, one page at a time, and for reads and writes of them that are under way; leases of other
    /// pages are not waited for. A pin does not hold it up: the page is cleared in place (and leaves the pin, as in a truncation, only if
    /// its frame is protected and no other is to be had). Cost is in what is in memory and on the device, and not in the length of the
    /// range. What was punched is durable after the next flush.
    /// </summary>
    /// <remarks>
    /// <para>
    /// Each page changes at once: whoever gets it before that sees the old bytes, and what is written to it then is dropped with them;
    /// whoever gets it afterwards sees zeros, and what is written to them stays. After the call, all have changed.
    /// </para>
    /// <para>
    /// A device that cannot be punched gets zeros written to it: the pages that it holds are made dirty zeros one by one, as by
    /// <see cref="WriteNew(long)"/>, and written back as others are. Those that were done stay zeros if the call ends early.
    /// </para>
    /// </remarks>
    /// <param name="firstPage">The first page; 0 or more.</param>
    /// <param name="count">How many pages; 0 or more. Those beyond the end of the file are left out.</param>
    /// <param name="cancellationToken">Stops waiting for leases, up to when the device is punched.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is negative.</exception>
    /// <exception cref="NotSupportedException">The mapping is read-only.</exception>
    /// <exception cref="MappingFailedException">The mapping has failed.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    /// <exception cref="PageWriteException">
    /// The device failed. What is in memory is as before; how much of the rest is zeros now depends on how far the device went.
    /// </exception>
    /// <exception cref="CacheFullException">The device cannot be punched, and no frame came free in time for a page of zeros.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask PunchAsync(long firstPage, long count, CancellationToken cancellationToken = default) =>
        new(_core.OwnThread.Run(() => PunchInOrderAsync(firstPage, count, cancellationToken)));

    private async Task PunchInOrderAsync(long firstPage, long count, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstPage);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        cancellationToken.ThrowIfCancellationRequested();
        ThrowIfNotWritable();
        using (await _lifetime.WriterLockAsync(cancellationToken).ConfigureAwait(true))
        {
            ThrowIfNotWritable();
            PunchRange punch = new(firstPage, EndOfRange(firstPage, count));
            if (punch.EndPage == firstPage || await TryPunchAsync(punch, cancellationToken).ConfigureAwait(true))
            {
                return;
            }
        }

        // Flushes may go on meanwhile; the file is not cut.
        using (await _lifetime.ReaderLockAsync(cancellationToken).ConfigureAwait(true))
        {
            ThrowIfNotWritable();
            await ZeroPagesAsync(firstPage, EndOfRange(firstPage, count), cancellationToken).ConfigureAwait(true);
        }
    }

    private long EndOfRange(long firstPage, long count) => firstPage + Math.Clamp(PageCount - firstPage, 0, count);

    /// <summary>Punches the device and takes what is older out of memory. False, and nothing has changed, if the device cannot be punched.</summary>
    private async Task<bool> TryPunchAsync(PunchRange punch, CancellationToken cancellationToken)
    {
        // As long as this can be cancelled, so that it seldom has to wait for anybody when it cannot be any more.
        await WaitForHoldersAsync(punch, cancellationToken).ConfigureAwait(true);

        // Until the device has been punched nobody is waited for who holds a lease: such a one may wait for this (M-9).
        _punch = punch;
        Interlocked.MemoryBarrier();
        try
        {
            await WaitForLoadsAsync(punch, cancellationToken).ConfigureAwait(true);
            punch.BarWrites();
            Interlocked.MemoryBarrier();
            await _writes.WhenEnded().WaitAsync(cancellationToken).ConfigureAwait(true);
            cancellationToken.ThrowIfCancellationRequested();

            // Those in memory may still be lent to files that hold what this one did; none comes in by what it held.
            Sharing?.OnPunch(punch.FirstPage, punch.EndPage);
            if (!await TryPunchDeviceAsync(punch).ConfigureAwait(true))
            {
                return false;
            }

            MarkResidentStale(punch);
            OpenPunched(punch);
            await RemoveStaleAsync(punch).ConfigureAwait(true);
            return true;
        }
        finally
        {
            _punch = null;
            OpenPunched(punch);
        }
    }

    private static void OpenPunched(PunchRange punch)
    {
        ReadyChain ready = default;
        punch.Open(ref ready);
        ready.Dispatch();
    }

    /// <summary>Latches every resident page of the range exclusively, one at a time.</summary>
    private async Task WaitForHoldersAsync(PunchRange punch, CancellationToken cancellationToken)
    {
        for (long page = NextPresent(punch.FirstPage); punch.Contains(page); page = NextPresent(page + 1))
        {
            try
            {
                (await LatchInternalAsync(page, patience: null, cancellationToken).ConfigureAwait(true)).Dispose();
            }
            catch (Exception error) when (error is PageTruncatedException || IsLoadFailure(error))
            {
                // Gone by itself, or it never came: its load failed while we stood in line. Perhaps others stand there still.
                page--;
            }
        }
    }

    /// <summary>
    /// Waits until no page of the range is being loaded; none begins to be. For a pin, which waits for no latch: who is granted the page
    /// then may wait to bring another one in.
    /// </summary>
    private async Task WaitForLoadsAsync(PunchRange punch, CancellationToken cancellationToken)
    {
        for (long page = NextWith(StateWord.Loading, punch.FirstPage); punch.Contains(page); page = NextWith(StateWord.Loading, page))
        {
            try
            {
                (await PinInternalAsync(page, cancellationToken).ConfigureAwait(true)).Dispose();
            }
            catch (Exception error) when (error is PageTruncatedException || IsLoadFailure(error))
            {
                // Its load failed. Perhaps others stand in line for it still, and it is loaded for them.
            }
        }
    }

    private async Task<bool> TryPunchDeviceAsync(PunchRange punch)
    {
        try
        {
            long pages = Math.Min(punch.EndPage, PagesIn(DeviceBoundary.LengthOf(Device))) - punch.FirstPage;
            if (pages <= 0)
            {
                // The device has not come to be that long, and so has nothing to give back.
                return true;
            }

            // All of the last page, although the file may end within it: a device gives back whole blocks only.
            long offset = punch.FirstPage << _pageShift;
            long length = (long)Math.Min((ulong)pages << _pageShift, (ulong)(long.MaxValue - offset));
            NoteUntagged();
            bool isPunched = await DeviceBoundary.TryPunchAsync(Device, offset, length).ConfigureAwait(true);
            NoteUntagged();
            return isPunched;
        }
        catch (IOException error)
        {
            throw Throw.MakePunchFailed(this, punch.FirstPage, punch.EndPage, error);
        }
    }

    /// <summary>Marks what is in memory, and therefore older than the device: none comes in meanwhile.</summary>
    private void MarkResidentStale(PunchRange punch)
    {
        for (long page = NextWith(StateWord.UpToDate, punch.FirstPage); punch.Contains(page); page = NextWith(StateWord.UpToDate, page + 1))
        {
            punch.MarkStale(page);
        }
    }

    /// <summary>
    /// Takes the stale pages away: first those that nobody holds, for whoever holds another may wait for a frame, and stale ones are
    /// neither written nor evicted while they are dirty.
    /// </summary>
    private async Task RemoveStaleAsync(PunchRange punch)
    {
        for (long page = NextStale(punch, punch.FirstPage); page >= 0; page = NextStale(punch, page + 1))
        {
            if (TryLatchNow(page))
            {
                RenewLatched(punch, page);
            }
        }

        for (long page = NextStale(punch, punch.FirstPage); page >= 0; page = NextStale(punch, page))
        {
            try
            {
                await LatchInternalAsync(page, patience: null, CancellationToken.None).ConfigureAwait(true);
            }
            catch (Exception error) when (error is PageTruncatedException || IsLoadFailure(error))
            {
                // Evicted meanwhile, and brought in anew perhaps.
                continue;
            }

            RenewLatched(punch, page);
        }
    }

    private long NextStale(PunchRange punch, long fromPage)
    {
        long page = NextWith(StateWord.UpToDate, fromPage);
        while (punch.Contains(page) && !punch.IsStale(page))
        {
            page = NextWith(StateWord.UpToDate, page + 1);
        }

        return punch.Contains(page) ? page : -1;
    }

    /// <summary>Takes the exclusive latch of a resident page if it is free.</summary>
    private unsafe bool TryLatchNow(long page)
    {
        Slot* slot = _table.Enter(page, create: false, out _);
        if (slot == null)
        {
            return false;
        }

        StateWord.LockList(slot);
        bool taken = (StateWord.Load(slot) & StateWord.UpToDate) != 0 && TryTake(slot, WaitMode.Exclusive, self: null);
        StateWord.UnlockList(slot);
        _core.PageTables.Leave(_core.PageTables.HeaderOf(slot));
        return taken;
    }

    /// <summary>
    /// Has a page read as zeros whose exclusive latch the caller holds, if it is stale, and returns the latch: clears it if it is pinned, else
    /// removes it. Its dirt is forgotten, for the device holds the zeros already.
    /// </summary>
    private unsafe void RenewLatched(PunchRange punch, long page)
    {
        Slot* slot = _table.Find(page);
        if (!punch.IsStale(page))
        {
            ReleaseExclusive(slot);
        }
        else if (IsPinned(page) && TryBreakIfProtected(slot, reservedFrame: 0))
        {
            new Span<byte>(AddressOf(slot->Frame), PageSize).Clear();
            if ((StateWord.LockList(slot) & StateWord.Dirty) != 0)
            {
                ForgetDirty(slot);
            }

            StateWord.UnlockList(slot);
            punch.Renewed(page);
            ReleaseExclusive(slot);
        }
        else
        {
            RemoveLatched(page);
        }
    }

    /// <summary>
    /// Makes the pages that the device holds, and those in memory, dirty zeros. A page that is in neither place when it is looked at reads as
    /// zeros: it is looked for in memory first, for what leaves there has been written before.
    /// </summary>
    private async Task ZeroPagesAsync(long firstPage, long endPage, CancellationToken cancellationToken)
    {
        for (long page = firstPage; page < endPage;)
        {
            long next = NextPresent(page);
            next = next < 0 ? endPage : Math.Min(next, endPage);
            long end = next == page ? page + 1 : Math.Min(next, PagesOnDevice(firstPage, endPage));
            if (end <= page)
            {
                page = next;
                continue;
            }

            for (; page < end; page++)
            {
                ValueTask<PageWriteLease> lease = WriteNewCoreAsync(page, Timeout.InfiniteTimeSpan, cancellationToken);
                (await WaitForLatchAsync(lease, page, patience: null).ConfigureAwait(true)).Dispose();
                if (page % ZeroedAtOnce == 0)
                {
                    await Task.Yield();
                }
            }
        }
    }

    private long PagesOnDevice(long firstPage, long endPage)
    {
        try
        {
            return PagesIn(DeviceBoundary.LengthOf(Device));
        }
        catch (IOException error)
        {
            throw Throw.MakePunchFailed(this, firstPage, endPage, error);
        }
    }

    /// <summary>Has a waiter whose page is absent wait for the end of the punch that it may not come in during.</summary>
    private bool TryQueueForPunch(PunchRange punch, PageWaiter waiter)
    {
        if (waiter.IsInternal || !punch.BarsClaim(waiter.Page) || IsComing(waiter.Page))
        {
            return false;
        }

        // Loads that the punch waits for may have use of what it was handed.
        Withdraw(waiter);
        DropReserved(waiter);
        return punch.TryWait(waiter);
    }

    /// <summary>
    /// Whether an absent page whose slot has been claimed may come in. A punch says first that none may, and looks for loads afterwards;
    /// a claim marks the page as loading first, and asks afterwards: one of the two sees the other (M-8).
    /// </summary>
    private bool MayComeIn(long page) => _punch is not { } punch || punch.TryClaim(page);

    /// <summary>
    /// Whether a page may be written. The write has been entered as under way: a punch says first that none may begin, and waits afterwards.
    /// </summary>
    private bool MayBeWritten(long page) => _punch is not { } punch || punch.MayBeWritten(page);

    /// <summary>A pin of a page, if it is resident or comes to be.</summary>
    private ValueTask<PagePin> PinInternalAsync(long page, CancellationToken cancellationToken) =>
        WaitForLatchAsync(BeginPinInternal(page, cancellationToken), page, patience: null);

    private unsafe ValueTask<PagePin> BeginPinInternal(long page, CancellationToken cancellationToken)
    {
        PageWaiter? waiter = AcquireAsync(page, WaitMode.Pin, isNew: false, isInternal: true, Timeout.InfiniteTimeSpan, cancellationToken, out Slot* slot, out Exception? error);
        if (waiter is not null)
        {
            return new ValueTask<PagePin>(waiter, waiter.Version);
        }

        return error is null ? new ValueTask<PagePin>(new PagePin(this, slot)) : ValueTask.FromException<PagePin>(error);
    }
}
