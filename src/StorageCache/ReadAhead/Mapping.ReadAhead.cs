using System.Runtime.CompilerServices;
using StorageCache.Buffers;
using StorageCache.IO;
using StorageCache.Mappings;
using StorageCache.ReadAhead;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>Reading ahead of those who read neighbouring pages one after the other.</content>
public sealed unsafe partial class Mapping
{
    private readonly StreamTable _streams = new();
    private volatile AccessPattern _accessPattern;

    /// <summary>
    /// How the pages are read, as far as you know; decides what is read ahead. May be changed at any time and applies from then
    /// on, for all who share the mapping. Initially <see cref="MappingOptions.AccessPattern"/>.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is none of the three.</exception>
    public AccessPattern AccessPattern
    {
        get => _accessPattern;
        set => _accessPattern = MappingOptions.Check(value, nameof(value));
    }

    private ReadAheadLimits Limits => _core.ReadAheadLimits with { Pages = PageCount };

    /// <summary>Notes a miss. Returns whether it belongs to a sequence of which something is to be read ahead.</summary>
    private bool IsInSequence(long page, out ReadAheadStep step) => _streams.OnMiss(page, _accessPattern, Limits, out step);

    /// <summary>Starts the load of a page that was missed, and what is to be read ahead of its reader.</summary>
    private void StartWithFrame(PageLoad load, bool isBlocking)
    {
        if (load.IsNew || !IsInSequence(load.FirstPage, out ReadAheadStep step))
        {
            load.Start(isBlocking);
        }
        else if (isBlocking)
        {
            // The device has the window to work on while this thread reads the page.
            ReadAhead(step);
            load.Start(isBlocking: true);
        }
        else
        {
            using SubmissionPlug plug = SubmissionPlug.Begin();
            load.Start(isBlocking: false);
            ReadAhead(step);
        }
    }

    /// <summary>Notes that a page was met that carried the read-ahead mark, which has been taken off.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReadAheadOfMark(long page)
    {
        if (_streams.OnMark(page, _accessPattern, Limits, out ReadAheadStep step))
        {
            ReadAhead(step);
        }
    }

    /// <summary>Takes the read-ahead mark off a page that is met where no list lock is taken otherwise. Returns whether there was one.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool MeetMark(long page)
    {
        Slot* slot = _table.Enter(page, create: false, out _);
        if (slot == null)
        {
            return false;
        }

        bool isMarked = StateWord.TakeMark(slot);
        _core.PageTables.Leave(_core.PageTables.HeaderOf(slot));
        if (isMarked)
        {
            ReadAheadOfMark(page);
        }

        return isMarked;
    }

    /// <summary>Puts the read-ahead mark on a page that is in memory, or on its way there, already.</summary>
    internal void Mark(long page)
    {
        Slot* slot = _table.Enter(page, create: false, out _);
        if (slot != null)
        {
            // Under the list lock, and so not on a page that is leaving.
            ulong state = StateWord.LockList(slot);
            if ((state & (StateWord.UpToDate | StateWord.Loading)) != 0)
            {
                StateWord.Set(slot, StateWord.ReadAheadMark);
            }

            StateWord.UnlockList(slot);
            _core.PageTables.Leave(_core.PageTables.HeaderOf(slot));
        }
    }

    /// <summary>Notes that a page was evicted that had been read ahead and that nobody has read.</summary>
    internal void OnReadAheadWasted(long page)
    {
        _core.Counters.PrefetchedInVain();
        _streams.OnWaste(page);
    }

    private void ReadAhead(in ReadAheadStep step)
    {
        using LoadRuns runs = new(this);

        // First, for their frames are those that the window takes: a scan goes round in a ring of its own (RA-5).
        GiveUp(step.PassedFrom, step.PassedCount);
        int count = (int)Math.Clamp(PageCount - step.FirstPage, 0, step.Count);
        int absent = 0;
        for (int i = 0; i < count; i++)
        {
            absent += IsComing(step.FirstPage + i) ? 0 : 1;
        }

        int room = MakeRoomAhead(absent);
        int covered = room < absent ? CountFromReader(step, count, room) : count;
        long first = step.IsForward ? step.FirstPage : step.FirstPage + count - covered;
        int added = 0;
        while (added < covered && runs.TryAdd(first + added, mark: first + added == step.Mark))
        {
            added++;
        }

        if (added < covered)
        {
            // Others were faster. What is to be read downwards was begun at its far end.
            covered = step.IsForward ? added : 0;
        }

        _streams.OnBegun(step, runs.Started, covered);
    }

    /// <summary>How many pages of a window, from where the reader comes to it, are there once so many are read: what he comes to last is left out.</summary>
    private int CountFromReader(in ReadAheadStep step, int count, int room)
    {
        int direction = step.IsForward ? 1 : -1;
        int covered = 0;
        while (covered < count && (IsComing(step.Mark + ((long)direction * covered)) || room-- > 0))
        {
            covered++;
        }

        return covered;
    }

    /// <summary>
    /// Sees that so many frames are free, if a bounded search finds them. Returns how many of them there are; none while somebody
    /// waits for a frame (RA-8).
    /// </summary>
    private int MakeRoomAhead(int pages)
    {
        if (_core.FrameQueue.Count > 0)
        {
            return 0;
        }

        long free = _core.Frames.Available - _core.Frames.Reserve;
        if (free < pages)
        {
            free += _core.Reclaimer.Evict((int)(pages - Math.Max(0, free)));
        }

        return (int)Math.Clamp(free, 0, pages);
    }

    /// <summary>Gives up pages that a scan has passed, if they came in by read-ahead and nobody else has come to use them.</summary>
    internal void GiveUp(long firstPage, int count)
    {
        using InlineResumption.Bar bar = InlineResumption.Forbid();
        for (long page = firstPage; page < firstPage + count; page++)
        {
            Slot* slot = _table.Enter(page, create: false, out _);
            if (slot != null)
            {
                _core.Reclaimer.TryEvict(slot, onlyPassed: true);
                _core.PageTables.Leave(_core.PageTables.HeaderOf(slot));
            }
        }
    }
}
