using System.Diagnostics;

namespace StorageCache.ReadAhead;

/// <summary>
/// Notices the sequential streams of one mapping, several at a time and in both directions, and says what to read ahead for
/// them. It hears of misses, of pages met that carry its mark, and of pages read ahead in vain; hits cost nothing.
/// Thread-safe.
/// </summary>
/// <remarks>
/// Windows that double on use, with a mark on the page where the next one is to be begun, are those of Linux's on-demand
/// read-ahead (Wu, Xi, Xu 2008). The table of streams and the shrinking on waste follow AMP (Gill, Bathen 2007) in spirit.
/// </remarks>
internal sealed class StreamTable
{
    /// <summary>The most streams that are read ahead for at once.</summary>
    public const int Streams = 16;

    /// <summary>The most misses that the next ones are compared with.</summary>
    public const int Candidates = 16;

    /// <summary>
    /// Misses and marks after which a miss is not taken for a stream's own any more: one that is read reaches the next mark,
    /// however long that takes, and one that has ended is not to be brought back to life by a miss somewhere in its windows.
    /// </summary>
    private const int Lifetime = 4 * Candidates;

    /// <summary>Neighbours that have to be missed one after the other before anything is read ahead.</summary>
    private const int FirstRun = 2;

    /// <summary>How far beyond a stream's windows a miss may lie to be its own, where the pattern is not said to be sequential.</summary>
    private const int Reach = 8;

    /// <summary>Pages read ahead after which what was seen before counts half.</summary>
    private const int Memory = 1024;

    private readonly Lock _lock = new();
    private readonly SequentialStream[] _streams = new SequentialStream[Streams];

    /// <summary>Apart from the streams, so that misses here and there do not drive out a stream that is seldom heard of.</summary>
    private readonly SequentialStream[] _candidates = new SequentialStream[Candidates];
    private long _clock;
    private int _issued;
    private int _wasted;

    /// <summary>
    /// How many more neighbours have to be missed than usual: where much was read in vain lately, chance makes neighbours
    /// and not sequences.
    /// </summary>
    private int Distrust => _wasted * 2 > _issued ? 2 : _wasted * 4 > _issued ? 1 : 0;

    /// <summary>Notes a miss.</summary>
    /// <param name="page">The page, which its reader brings in itself.</param>
    /// <param name="pattern">What is known of the mapping.</param>
    /// <param name="limits">How far to go.</param>
    /// <param name="step">What to do, if the result is true.</param>
    public bool OnMiss(long page, AccessPattern pattern, ReadAheadLimits limits, out ReadAheadStep step)
    {
        step = default;
        if (pattern == AccessPattern.Random || limits.Window == 0)
        {
            return false;
        }

        lock (_lock)
        {
            int reach = pattern == AccessPattern.Sequential ? limits.Window : Reach;
            ref SequentialStream stream = ref Find(_streams, page, reach);
            if (Continues(in stream, page, reach))
            {
                // If the mark alone was lost, the window behind it is there.
                bool isBeyond = page != stream.Mark || stream.Wasted * 2 > stream.Window;
                stream.MoveTo(page);
                return Advance(ref stream, isBeyond ? page + stream.Direction : stream.Frontier, pattern, limits, out step);
            }

            ref SequentialStream candidate = ref Find(_candidates, page, reach);
            MoveOrBegin(ref candidate, page, pattern);
            int around = FindAround(in candidate);
            int needed = pattern == AccessPattern.Sequential ? 1 : around >= 0 ? FirstRun : FirstRun + Distrust;
            if (candidate.Run < needed)
            {
                return false;
            }

            if (around >= 0)
            {
                // Its windows were evicted before it came: it goes on from here.
                stream = ref _streams[around];
                stream.MoveTo(page);
            }
            else
            {
                stream = candidate;
            }

            candidate = default;

            // The reader has come as far as the windows did, or further: what follows on the page is not to be had yet.
            return Advance(ref stream, page + stream.Direction, pattern, limits, out step);
        }
    }

    /// <summary>Notes that a page was met that carried the mark: the reader has entered its stream's last window.</summary>
    /// <inheritdoc cref="OnMiss"/>
    public bool OnMark(long page, AccessPattern pattern, ReadAheadLimits limits, out ReadAheadStep step)
    {
        step = default;
        if (pattern == AccessPattern.Random || limits.Window == 0)
        {
            return false;
        }

        lock (_lock)
        {
            for (int i = 0; i < Streams; i++)
            {
                ref SequentialStream stream = ref _streams[i];
                if (stream.IsActive && stream.Mark == page)
                {
                    stream.MoveTo(page);
                    return Advance(ref stream, stream.Frontier, pattern, limits, out step);
                }
            }
        }

        return false;
    }

    /// <summary>Notes that a page that had been read ahead was evicted before anybody read it.</summary>
    public void OnWaste(long page)
    {
        lock (_lock)
        {
            _wasted++;
            for (int i = 0; i < Streams; i++)
            {
                if (_streams[i].IsAhead(page))
                {
                    _streams[i].Wasted++;
                    return;
                }
            }
        }
    }

    /// <summary>Notes that pages are read ahead because somebody asked for them.</summary>
    public void OnPrefetch(int pages)
    {
        lock (_lock)
        {
            CountIssued(pages);
        }
    }

    /// <summary>The entry that a miss continues, or else the one to begin in: the one that was not used for longest.</summary>
    private ref SequentialStream Find(SequentialStream[] entries, long page, int reach)
    {
        int oldest = 0;
        for (int i = 0; i < entries.Length; i++)
        {
            if (Continues(in entries[i], page, reach))
            {
                return ref entries[i];
            }

            if (entries[i].LastUse < entries[oldest].LastUse)
            {
                oldest = i;
            }
        }

        return ref entries[oldest];
    }

    /// <summary>The stream in whose windows, and in whose direction, a candidate goes; -1 if there is none.</summary>
    private int FindAround(in SequentialStream candidate)
    {
        for (int i = 0; i < Streams; i++)
        {
            ref readonly SequentialStream stream = ref _streams[i];
            if (_clock - stream.LastUse < Lifetime
                && stream.IsAhead(candidate.Position)
                && (candidate.Run == 1 || candidate.Direction == stream.Direction))
            {
                return i;
            }
        }

        return -1;
    }

    private bool Continues(in SequentialStream entry, long page, int reach) =>
        _clock - entry.LastUse < Lifetime && entry.Continues(page, reach);

    private void MoveOrBegin(ref SequentialStream candidate, long page, AccessPattern pattern)
    {
        if (Continues(in candidate, page, reach: 0))
        {
            candidate.MoveTo(page);
        }
        else
        {
            candidate = new SequentialStream(page) { Direction = pattern == AccessPattern.Sequential ? 1 : 0 };
        }

        candidate.LastUse = ++_clock;
    }

    /// <summary>Says what the next window of a stream is, and what a scan has left behind.</summary>
    private bool Advance(ref SequentialStream stream, long start, AccessPattern pattern, ReadAheadLimits limits, out ReadAheadStep step)
    {
        int direction = stream.Direction;
        Debug.Assert(direction is 1 or -1, "a stream that reads ahead has a direction");
        bool isSequential = pattern == AccessPattern.Sequential;
        int window = stream.NextWindow(LargestWindow(limits), isSequential);
        if (Distrust > 0 && !isSequential && stream.IsActive)
        {
            // Where streams end early, one goes no further ahead than it has come.
            window = (int)Math.Min(window, Math.Max(SequentialStream.FirstWindow, stream.Travelled));
        }

        step = default;
        if (window == 0)
        {
            stream = default;
            return false;
        }

        stream.LastUse = ++_clock;
        stream.Window = window;
        stream.Wasted = 0;
        stream.Mark = start;
        stream.Frontier = start + ((long)direction * window);
        long first = direction > 0 ? start : Math.Max(0, start - window + 1);
        int count = (int)Math.Max(0, direction > 0 ? window : start - first + 1);
        CountIssued(count);

        (long passedFrom, int passed) = isSequential ? LeaveBehind(ref stream, limits)
            : limits.Spare < count ? LeaveBehindOldest(limits)
            : (0, 0);
        step = new ReadAheadStep(first, count, start, passedFrom, passed);
        return count + passed > 0;
    }

    /// <summary>
    /// Has the scan give pages up that was heard of least lately, and has left any: one that has ended, before one that goes on.
    /// While nobody is short of frames a scan keeps what it has passed, for it may be read again; this is where that ends.
    /// </summary>
    private (long From, int Count) LeaveBehindOldest(ReadAheadLimits limits)
    {
        int oldest = -1;
        for (int i = 0; i < Streams; i++)
        {
            ref readonly SequentialStream stream = ref _streams[i];
            if (stream.Travelled > limits.Scan
                && stream.Passed > limits.Window
                && (oldest < 0 || stream.LastUse < _streams[oldest].LastUse))
            {
                oldest = i;
            }
        }

        return oldest < 0 ? (0, 0) : LeaveBehind(ref _streams[oldest], limits);
    }

    /// <summary>
    /// Moves the end of what a scan keeps: the largest window behind its position, for those who follow closely. Two windows at
    /// a time at most, so that a step is bounded, and what has been left from before the stream gave pages up is caught up with.
    /// </summary>
    private static (long From, int Count) LeaveBehind(ref SequentialStream stream, ReadAheadLimits limits)
    {
        int count = (int)Math.Clamp(stream.Passed - limits.Window, 0, 2L * limits.Window);
        long from = stream.PassedFrom;
        stream.PassedFrom += (long)count * stream.Direction;
        return stream.Direction > 0 ? (from, count) : (from - count + 1, count);
    }

    /// <summary>The largest window while several streams are read: two of each together take half the cache at most.</summary>
    private int LargestWindow(ReadAheadLimits limits)
    {
        int active = 0;
        foreach (ref readonly SequentialStream stream in _streams.AsSpan())
        {
            active += stream.IsActive && _clock - stream.LastUse < Lifetime ? 1 : 0;
        }

        return (int)Math.Clamp(limits.Scan / Math.Max(1, active), Math.Min(SequentialStream.FirstWindow, limits.Window), limits.Window);
    }

    private void CountIssued(int pages)
    {
        _issued += pages;
        if (_issued > Memory)
        {
            _issued /= 2;
            _wasted /= 2;
        }
    }
}
