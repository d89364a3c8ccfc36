using System.Diagnostics;
using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Waiting;
using StorageCache.Writeback;

namespace StorageCache;

/// <content>Dirty pages of one mapping, and the writes that take them to the device.</content>
public sealed unsafe partial class Mapping
{
    private static readonly TimeSpan s_firstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_lastRetry = TimeSpan.FromSeconds(30);

    private readonly WriteTracker _writes = new();
    private readonly Lock _writeErrorLock = new();
    private readonly FailedPages _failedPages;

    /// <summary>Pages that are dirty, plus pages under write-back.</summary>
    private long _dirtyPages;

    /// <summary>Generation that written pages are tagged with; the other one is being synced.</summary>
    private int _unsyncedGeneration;

    /// <summary>Where the background flusher goes on.</summary>
    private long _flusherCursor;

    /// <summary>Whether the mapping is closing and has flushed what it will.</summary>
    private volatile bool _writesStopped;

    private long _writeErrors;
    private (long Page, IOException Error) _lastWriteError;
    private TimeSpan _retryAfter = s_firstRetry;
    private long _retryAt;

    /// <summary>Pages that are dirty or under write-back.</summary>
    internal long DirtyPages => Volatile.Read(ref _dirtyPages);

    /// <summary>Whether the background flusher should look at the mapping.</summary>
    internal bool HasWorkForFlusher =>
        DirtyPages > 0
        && _state is MappingState.Open
        && !IsBackingOff;

    /// <summary>Whether a write failed a short while ago, so that the background flusher lets the mapping alone.</summary>
    internal bool IsBackingOff => _core.Options.TimeProvider.GetTimestamp() < Volatile.Read(ref _retryAt);

    /// <summary>Whether a page is resident and dirty.</summary>
    internal bool IsDirty(long page)
    {
        Slot* slot = _table.Find(page);
        return slot != null && (StateWord.Load(slot) & StateWord.Dirty) != 0;
    }

    /// <summary>Makes a page dirty. The caller holds its exclusive latch.</summary>
    internal void MarkDirty(Slot* slot)
    {
        if ((StateWord.Load(slot) & StateWord.Dirty) == 0)
        {
            SetDirty(slot);
        }
    }

    private void SetDirty(Slot* slot)
    {
        ulong before = StateWord.Set(slot, StateWord.Dirty);
        if ((before & StateWord.Dirty) == 0)
        {
            long page = PageOf(slot);
            Sharing?.OnDirty(page);
            _table.SetDirty(slot, page);
            Interlocked.Increment(ref _dirtyPages);
            _core.WriteBack.AddDirty(1);
        }
    }

    /// <summary>Drops the dirt of a page that is truncated away or thrown away. Its exclusive latch and list lock are held.</summary>
    private void ForgetDirty(Slot* slot)
    {
        StateWord.Clear(slot, StateWord.Dirty);
        ForgetLsn(slot);
        _failedPages.OnForgotten(PageOf(slot));
        _table.ClearDirty(slot, PageOf(slot));
        NoLongerDirty(releases: false);
    }

    private void NoLongerDirty(bool releases)
    {
        Interlocked.Decrement(ref _dirtyPages);
        _core.WriteBack.AddDirty(-1, releases);
    }

    /// <summary>
    /// Begins the write of a dirty page, if it is not exclusively latched and no other write of it is in flight: one write
    /// at a time, so that an older one cannot overtake a newer (WB-2).
    /// </summary>
    private bool TryBeginWrite(Slot* slot, long page, WriteRun run)
    {
        // A truncation lowers the length first and then waits for the writes that have been entered: this one has been.
        // Closing likewise says first that there are to be no more, growing the device that there are none beyond its end, and a
        // punch that there are none within.
        StateWord.LockList(slot);
        bool begun = (page << _pageShift) < Length && !_writesStopped && (page + 1) << _pageShift <= Volatile.Read(ref _writableTo)
            && MayBeWritten(page) && TryTakeForWrite(slot, run);
        if (begun)
        {
            // A writer who comes now has to break away, for which it needs the list lock: the tag cannot be lost. It goes after the
            // page's numbers are the write's (WB-18).
            _table.ClearDirty(slot, page);

            // Not before: what was changed by now may lie beyond where the file ended a moment ago (WB-15).
            run.Add(slot, page, _core.Protection.Hold(slot, ProtectionReason.WriteBack), ContentLength);
        }

        StateWord.UnlockList(slot);
        return begun;
    }

    /// <summary>Starts one write for the background flusher. Returns of how many pages; 0 if there is nothing to write.</summary>
    private int StartWrite()
    {
        bool isWrapped = _flusherCursor == 0;
        int pages = StartWrite(ref _flusherCursor, PageCount, busy: null);
        if (pages != 0)
        {
            return pages;
        }

        // Round once, to the front of the file.
        _flusherCursor = 0;
        return isWrapped ? 0 : StartWrite(ref _flusherCursor, PageCount, busy: null);
    }

    /// <summary>Starts one write of the next dirty pages. Returns of how many; 0 if there are none.</summary>
    private int StartWrite(ref long cursor, long endPage, List<long>? busy)
    {
        WriteRun run = _core.WriteBack.Rent(single: false);
        if (TryCollectRun(run, ref cursor, endPage, busy))
        {
            // The run may be back in its pool when this returns.
            int pages = run.Count;
            _core.WriteBack.Permits.Charge((long)pages << _pageShift);
            run.Submit();
            return pages;
        }

        _writes.End(run);
        _core.WriteBack.Return(run);
        return 0;
    }

    /// <summary>
    /// Collects the next run of neighbouring dirty pages. The run is entered as under way in any case.
    /// </summary>
    /// <param name="run">Where the pages go.</param>
    /// <param name="cursor">The page to look from; afterwards the page to go on from.</param>
    /// <param name="endPage">The page to stop at.</param>
    /// <param name="busy">Takes the dirty pages that cannot be written now: latched, or under write-back already.</param>
    /// <returns>Whether the run has pages.</returns>
    private bool TryCollectRun(WriteRun run, ref long cursor, long endPage, List<long>? busy)
    {
        run.Begin(this);
        _writes.Begin(run);
        while (true)
        {
            LeafHeader* leaf = _table.EnterNextDirtyLeaf(cursor);
            if (leaf == null)
            {
                return run.Count > 0;
            }

            bool complete = CollectFromLeaf(leaf, run, ref cursor, endPage, busy);
            _core.PageTables.Leave(leaf);
            if (complete)
            {
                return run.Count > 0;
            }
        }
    }

    private bool CollectFromLeaf(LeafHeader* leaf, WriteRun run, ref long cursor, long endPage, List<long>? busy)
    {
        Slot* slots = _core.PageTables.SlotsOf(leaf);
        for (long page = PageTable.NextDirty(leaf, cursor); page >= 0; page = PageTable.NextDirty(leaf, page + 1))
        {
            if (page >= endPage || (run.Count > 0 && page != run.FirstPage + run.Count))
            {
                cursor = page;
                return true;
            }

            if (TryBeginWrite(slots + (page - leaf->FirstPage), page, run))
            {
                cursor = page + 1;
                if (run.IsFull)
                {
                    return true;
                }
            }
            else if (run.Count > 0)
            {
                cursor = page;
                return true;
            }
            else
            {
                busy?.Add(page);
            }
        }

        cursor = leaf->FirstPage + PageTable.SlotsPerLeaf;
        return false;
    }

    /// <summary>Ends a write.</summary>
    internal void CompleteWrite(WriteRun run, int bytes, IOException? error)
    {
        if (error is not null && run.Count > 1)
        {
            NarrowWrite(run);
            return;
        }

        ReadyChain ready = default;
        if (error is null)
        {
            _core.Counters.Wrote(bytes);
            _failedPages.OnWritten(run.FirstPage, run.Count);
            if (_failedPages.IsEmpty)
            {
                // Not for the sake of pages that were never in trouble: one that cannot be written would be tried ten times a second.
                _retryAfter = s_firstRetry;
            }

            _bound.Left(Volatile.Read(ref _unsyncedGeneration), run.OldestLsn);
        }
        else
        {
            // While the page is under write-back still: what comes of its next write is told next (E-3).
            _failedPages.OnFailed(run.FirstPage, error);
        }

        for (int i = 0; i < run.Count; i++)
        {
            EndWriteOfPage(run.SlotAt(i), run.FirstPage + i, run.FrameAt(i), run.RecoveryLsnAt(i), error, ref ready);
        }

        if (error is not null)
        {
            _bound.Returned(run.OldestLsn);

            // After the pages are dirty again and before the write has ended: a flush that does not see the error any more
            // as its own sees the pages (WB-1).
            NoteWriteError(run.FirstPage, error);
        }

        for (int i = 0; i < run.Count; i++)
        {
            _core.Frames.DropReference(run.FrameAt(i));
        }

        long charged = (long)run.Count << _pageShift;
        Interlocked.Increment(ref _writesEnded);
        _writes.End(run);
        _core.WriteBack.Return(run);
        _core.WriteBack.EndWrite(charged);
        if (_core.FrameQueue.Count > 0)
        {
            // There are clean pages to evict now, and protections have ended.
            _core.FrameQueue.RetryBreaks();
            _core.FrameQueue.Pump();
            _core.Reclaimer.Kick();
        }

        ready.Dispatch();
        _core.WriteBack.Throttle.ReleaseDue();
    }

    private void EndWriteOfPage(Slot* slot, long page, uint frame, ulong recoveryLsn, IOException? error, ref ReadyChain ready)
    {
        StateWord.LockList(slot);
        if (error is null)
        {
            _table.SetUnsynced(slot, page, Volatile.Read(ref _unsyncedGeneration));
            NoLongerDirty(releases: true);
            Interlocked.MemoryBarrier();
            if (_state == MappingState.Failed)
            {
                // A sync failed while the write was under way, and no other will come: it counts for nothing (WB-5).
                ReturnLsn(slot, recoveryLsn);
                SetDirty(slot);
            }
        }
        else
        {
            // Still dirty, and still counted once, also if a writer has made it dirty anew meanwhile (WB-4).
            // The tag comes first: a writer that finds the page dirty leaves it to whoever made it so, and may be looked for next.
            ReturnLsn(slot, recoveryLsn);
            _table.SetDirty(slot, page);
            ulong before = StateWord.Set(slot, StateWord.Dirty);
            if ((before & StateWord.Dirty) != 0)
            {
                NoLongerDirty(releases: true);
            }
        }

        _core.Protection.Unprotect(slot, frame, ProtectionReason.WriteBack);
        StateWord.Clear(slot, StateWord.WriteBack);
        Grant(slot, ref ready);
        StateWord.UnlockList(slot);
    }

    /// <summary>Writes the pages of a failed run one by one, so that only those which cannot be written fail.</summary>
    private void NarrowWrite(WriteRun run)
    {
        // Each takes over its page's share of the run; the run's permit goes with the first one.
        for (int i = 0; i < run.Count; i++)
        {
            WriteRun single = _core.WriteBack.Rent(single: true);
            single.Begin(this);
            _writes.BeginPart(single, run);
            single.NoteLsns(run.HighestLsn, run.RecoveryLsnAt(i));
            single.Add(run.SlotAt(i), run.FirstPage + i, run.FrameAt(i), run.EndOfFile);
            if (i > 0)
            {
                _core.WriteBack.Permits.Borrow();
            }

            single.SubmitElsewhere();
        }

        _writes.End(run);
        _core.WriteBack.Return(run);
    }

    private void NoteWriteError(long page, IOException error)
    {
        _core.Counters.WriteFailed();
        lock (_writeErrorLock)
        {
            _writeErrors++;
            _lastWriteError = (page, error);
            TimeProvider time = _core.Options.TimeProvider;
            long now = time.GetTimestamp();
            if (now < _retryAt)
            {
                // Another page of the same trouble: a run that fails brings an error for each of its pages.
                return;
            }

            Volatile.Write(ref _retryAt, now + (long)(_retryAfter.TotalSeconds * time.TimestampFrequency));
            _retryAfter = _retryAfter * 2 > s_lastRetry ? s_lastRetry : _retryAfter * 2;
        }
    }
}
