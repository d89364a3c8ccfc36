using StorageCache.Buffers;
using StorageCache.IO;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>The length of the file, and taking pages away that lie beyond it.</content>
public sealed partial class Mapping
{
    private readonly Lock _lengthLock = new();
    private readonly List<(PageWaiter Waiter, long Ticket)> _lengthWaiters = [];
    private long _length;
    private volatile bool _isTruncating;

    /// <summary>See <see cref="ContentLength"/>. Changed under the lock; never below the length, which grows after it.</summary>
    private long _contentLength;

    /// <summary>Length of the file in bytes, as the cache sees it: what was written back may still be shorter.</summary>
    public long Length => Volatile.Read(ref _length);

    /// <summary>How many pages the file has: its length divided by the page size, rounded up.</summary>
    public long PageCount => PagesIn(Length);

    /// <summary>
    /// Up to where pages have content: what lies beyond is cleared when it is read, and not written. Differs from
    /// <see cref="Length"/> while a truncation can still be cancelled, for then nothing may have been lost (M-7). Takes no lock, and so
    /// can be asked for under a list lock. Bytes.
    /// </summary>
    internal long ContentLength => Volatile.Read(ref _contentLength);

    /// <summary>Makes the file longer. What comes in reads as zeros.</summary>
    /// <param name="length">The new length in bytes; if the file is that long already, nothing happens.</param>
    /// <param name="cancellationToken">Stops waiting for a truncation that is under way.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative, or within a page of what 64 bits can say, or, with a codec, no multiple of the page size.</exception>
    /// <exception cref="NotSupportedException">The mapping is read-only.</exception>
    /// <exception cref="MappingFailedException">The mapping has failed.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    public ValueTask ExtendAsync(long length, CancellationToken cancellationToken = default) =>
        new(_core.OwnThread.Run(() => ExtendInOrderAsync(length, cancellationToken)));

    private async Task ExtendInOrderAsync(long length, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, long.MaxValue - PageSize);
        Throw.IfNotWholePages(this, length);
        ThrowIfNotWritable();
        using (await _lifetime.ReaderLockAsync(cancellationToken).ConfigureAwait(true))
        {
            ThrowIfNotWritable();
            lock (_lengthLock)
            {
                Grow(Math.Max(_length, length));
            }
        }
    }

    /// <summary>
    /// Cuts the file off. Waits for the leases of the pages that go, and for writes that are under way; leases of other
    /// pages are not waited for. A pin does not hold a page back: it goes on without it. Whoever waits for a page that
    /// goes gets <see cref="PageTruncatedException"/>.
    /// </summary>
    /// <param name="length">The new length in bytes, at most the present one. The rest of the last page reads as zeros.</param>
    /// <param name="cancellationToken">Stops waiting for leases; nothing is lost then, and the length is as before.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative, or above <see cref="Length"/>, or, with a codec, no multiple of the page size.</exception>
    /// <exception cref="NotSupportedException">The mapping is read-only.</exception>
    /// <exception cref="MappingFailedException">The mapping has failed.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="PageWriteException">The device cannot be cut. The length is as before, and nothing is lost.</exception>
    public ValueTask TruncateAsync(long length, CancellationToken cancellationToken = default) =>
        new(_core.OwnThread.Run(() => TruncateInOrderAsync(length, cancellationToken)));

    private async Task TruncateInOrderAsync(long length, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Throw.IfNotWholePages(this, length);
        ThrowIfNotWritable();
        using (await _lifetime.WriterLockAsync(cancellationToken).ConfigureAwait(true))
        {
            ThrowIfNotWritable();
            lock (_lengthLock)
            {
                ArgumentOutOfRangeException.ThrowIfGreaterThan(length, _length);
                if (length == _length)
                {
                    return;
                }

                // From here on nobody new gets a page beyond the end, and nobody can make the file longer.
                _isTruncating = true;
                Volatile.Write(ref _length, length);
            }

            Interlocked.MemoryBarrier();
            try
            {
                await CutAsync(length, cancellationToken).ConfigureAwait(true);
            }
            finally
            {
                EndTruncation();
            }
        }
    }

    private async Task CutAsync(long length, CancellationToken cancellationToken)
    {
        long pages = PageCount;
        try
        {
            // Everybody who holds a page that goes has to return it. Up to here, and if the device refuses, all is as before.
            await _writes.WhenEnded().WaitAsync(cancellationToken).ConfigureAwait(true);
            await VisitPagesAsync(pages, remove: false, cancellationToken).ConfigureAwait(true);

            // A write that lands after the device was cut would bring bytes back: none that may reach beyond the new end
            // begins until the pages have gone, and those under way (of the last page, in its old length) are waited for.
            Volatile.Write(ref _writableTo, length);
            Interlocked.MemoryBarrier();
            await _writes.WhenEnded().ConfigureAwait(true);
            Sharing?.OnCut(length >> _pageShift);
            await CutDeviceAsync(length).ConfigureAwait(true);
            lock (_lengthLock)
            {
                Volatile.Write(ref _contentLength, length);
            }

            await VisitPagesAsync(pages, remove: true, CancellationToken.None).ConfigureAwait(true);
            await ClearTailAsync(length).ConfigureAwait(true);
        }
        catch
        {
            lock (_lengthLock)
            {
                // Once the device has been cut, the two are the same.
                Volatile.Write(ref _length, _contentLength);
            }

            throw;
        }
        finally
        {
            Volatile.Write(ref _writableTo, long.MaxValue);
        }
    }

    private async Task CutDeviceAsync(long length)
    {
        try
        {
            if (DeviceBoundary.LengthOf(Device) > length)
            {
                NoteUntagged();
                await DeviceBoundary.SetLengthAsync(Device, length).ConfigureAwait(true);
                NoteUntagged();
            }
        }
        catch (IOException error)
        {
            throw Throw.MakeCutFailed(this, length, error);
        }
    }

    /// <summary>Latches every resident page from a number on exclusively, one at a time, and removes it if asked.</summary>
    private async Task VisitPagesAsync(long fromPage, bool remove, CancellationToken cancellationToken)
    {
        for (long page = NextPresent(fromPage); page >= 0; page = NextPresent(page + 1))
        {
            PageWriteLease lease;
            try
            {
                lease = await LatchInternalAsync(page, patience: null, cancellationToken).ConfigureAwait(true);
            }
            catch (Exception error) when (error is PageTruncatedException || IsLoadFailure(error))
            {
                // Gone by itself, or it never came: its load failed while we stood in line. Perhaps others stand there still.
                page--;
                continue;
            }

            if (remove)
            {
                RemoveLatched(page);
            }
            else
            {
                lease.Dispose();
            }
        }
    }

    /// <summary>Removes a page whose exclusive latch the caller holds, and the latch with it.</summary>
    private unsafe void RemoveLatched(long page)
    {
        Slot* slot = _table.Find(page);
        ReadyChain ready = default;
        StateWord.LockList(slot);
        RemovePage(slot, shadow: 0, ref ready);
        ready.Dispatch();
    }

    /// <summary>The first page at or behind a number that is resident or being loaded; -1 for none.</summary>
    private long NextPresent(long fromPage) => NextWith(StateWord.UpToDate | StateWord.Loading, fromPage);

    /// <summary>The first page at or behind a number that has one of the state bits; -1 for none.</summary>
    private unsafe long NextWith(ulong bits, long fromPage)
    {
        long next = fromPage;
        while (true)
        {
            LeafHeader* leaf = _table.EnterNextLeaf(next);
            if (leaf == null)
            {
                return -1;
            }

            Slot* slots = _core.PageTables.SlotsOf(leaf);
            long found = -1;
            for (long i = Math.Max(0, next - leaf->FirstPage); i < PageTable.SlotsPerLeaf && found < 0; i++)
            {
                if ((StateWord.Load(slots + i) & bits) != 0)
                {
                    found = leaf->FirstPage + i;
                }
            }

            next = leaf->FirstPage + PageTable.SlotsPerLeaf;
            _core.PageTables.Leave(leaf);
            if (found >= 0)
            {
                return found;
            }
        }
    }

    /// <summary>How many pages a length takes; also one within a page of what 64 bits can say, which a device may have.</summary>
    private long PagesIn(long length) => (length >> _pageShift) + ((length & (PageSize - 1)) == 0 ? 0 : 1);

    /// <summary>Zeroes what a resident last page holds beyond the end: it shows if the file grows again.</summary>
    private async Task ClearTailAsync(long length)
    {
        int tail = (int)(length & (PageSize - 1));
        if (tail == 0)
        {
            return;
        }

        long page = length >> _pageShift;
        while (true)
        {
            try
            {
                using PageWriteLease lease = await LatchInternalAsync(page, patience: null, CancellationToken.None).ConfigureAwait(true);
                if (TryBreakLatched(page))
                {
                    lease.Span[tail..].Clear();
                    return;
                }
            }
            catch (PageTruncatedException)
            {
                // Not resident, so there is nothing to clear: loads clear what is beyond the end.
                return;
            }
            catch (Exception error) when (IsLoadFailure(error))
            {
                // It never came: its load failed while we stood in line. Perhaps others stand there still. The file has been cut in any case.
                continue;
            }

            // No frame is free to break away onto. A write that ends brings one, or the evictor does.
            _core.Reclaimer.Call();
            await Task.Delay(TimeSpan.FromMilliseconds(1), _core.Options.TimeProvider).ConfigureAwait(true);
        }
    }

    /// <summary>Breaks a page away that the caller has latched exclusively, if it is protected: it is about to be written (P-4).</summary>
    private unsafe bool TryBreakLatched(long page) => TryBreakIfProtected(_table.Find(page), reservedFrame: 0);

    /// <summary>
    /// Makes the file long enough for a new page. Returns false while a truncation is under way: the waiter is armed and
    /// resumed at its end.
    /// </summary>
    private bool TryExtendFor(PageWaiter waiter)
    {
        if (waiter.Page < PageCount)
        {
            return true;
        }

        if (_isTruncating)
        {
            // The truncation may have to stand in line for this very page: whoever waits for its end leaves the line first.
            Withdraw(waiter);
        }

        lock (_lengthLock)
        {
            if (!_isTruncating)
            {
                Grow(Math.Max(_length, (waiter.Page + 1) << _pageShift));
                return true;
            }

            if (!waiter.IsLinked)
            {
                _lengthWaiters.Add((waiter, waiter.Arm()));
                return false;
            }
        }

        // It has begun in between.
        return TryExtendFor(waiter);
    }

    /// <summary>Makes the file longer. Under the length's lock; no truncation is under way.</summary>
    private void Grow(long length)
    {
        Volatile.Write(ref _contentLength, length);
        Volatile.Write(ref _length, length);
    }

    private void EndTruncation()
    {
        ReadyChain ready = default;
        lock (_lengthLock)
        {
            _isTruncating = false;
            foreach ((PageWaiter waiter, long ticket) in _lengthWaiters)
            {
                if (waiter.TryResume(ticket, WaitOutcome.Retry))
                {
                    ready.Add(waiter);
                }
            }

            _lengthWaiters.Clear();
        }

        ready.Dispatch();
    }

    private void ThrowIfNotWritable()
    {
        if (_state is MappingState.Closing or MappingState.Closed)
        {
            throw Throw.MakeClosed(this);
        }

        if (IsReadOnly)
        {
            throw Throw.MakeReadOnly(this);
        }

        if (_state == MappingState.Failed)
        {
            throw Throw.MakeMappingFailed(this);
        }
    }
}
