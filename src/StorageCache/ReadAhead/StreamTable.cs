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
    /// <summary>Neighbours that have to be missed one soon after the other before anything is read ahead.</summary>
    private const int FirstRun = 2;

    /// <summary>How many misses and marks ago is soon. Where it was longer, one more neighbour is needed: chance has had more to choose from.</summary>
    private const int Soon = 16;

    /// <summary>Misses and marks after which the neighbour of a miss says nothing any more, at most.</summary>
    private const int LongestCandidacy = 256;

    /// <summary>The part of a small file's pages that a miss is compared with at most, so that chance makes few neighbours.</summary>
    private const int CandidacyShare = 128;

    /// <summary>How far beyond a stream's windows a miss may lie to be its own, where the pattern is not said to be sequential.</summary>
    private const int Reach = 8;

    private readonly Lock _lock = new();
    private readonly StreamSet _streams = new();

    /// <summary>Apart from the streams, so that misses here and there do not drive out a stream that is seldom heard of.</summary>
    private CandidateTable? _candidates;

    /// <summary>Misses and marks.</summary>
    private long _clock;

    /// <summary>Of all that is read ahead.</summary>
    private WasteShare _all;

    /// <summary>Of the first windows of streams: where these are in vain, chance makes neighbours and not sequences.</summary>
    private WasteShare _beginnings;

    /// <summary>Notes a miss.</summary>
    /// <param name="page">The page, which its reader brings in itself.</param>
    /// <param name="pattern">What is known of the mapping.</param>
    /// <param name="limits">How far to go.</param>
    /// <param name="step">What to do, if the result is true; <see cref="OnBegun"/> is told how it went.</param>
    public bool OnMiss(long page, AccessPattern pattern, in ReadAheadLimits limits, out ReadAheadStep step)
    {
        step = default;
        if (pattern == AccessPattern.Random || limits.Window == 0)
        {
            return false;
        }

        lock (_lock)
        {
            long now = ++_clock;
            int place = FindContinued(page, now);
            long start;
            if (place >= 0)
            {
                // If the mark alone was lost, the window behind it is there.
                ref SequentialStream stream = ref _streams[place];
                bool isThere = stream.HasMarkAt(page) && !stream.WasInVain;
                stream.MoveTo(page, now);
                start = isThere ? stream.Frontier : page + stream.Direction;
            }
            else
            {
                // The reader has come as far as the windows did, or further: what follows on the page is not to be had yet.
                place = pattern == AccessPattern.Sequential ? FindAroundOrBegin(page, now) : BeginOrGoOn(page, now, limits.Pages);
                if (place < 0)
                {
                    return false;
                }

                start = page + _streams[place].Direction;
            }

            return Advance(place, start, pattern, limits, out step);
        }
    }

    /// <summary>Notes that a page was met that carried the mark: the reader has entered its stream's last window.</summary>
    /// <inheritdoc cref="OnMiss"/>
    public bool OnMark(long page, AccessPattern pattern, in ReadAheadLimits limits, out ReadAheadStep step)
    {
        step = default;
        if (pattern == AccessPattern.Random || limits.Window == 0)
        {
            return false;
        }

        lock (_lock)
        {
            long now = ++_clock;
            int place = -1;
            for (int i = _streams.Next(page, 0); i >= 0; i = _streams.Next(page, i + 1))
            {
                place = _streams[i].HasMarkAt(page) ? Later(place, i) : place;
            }

            if (place < 0)
            {
                return false;
            }

            ref SequentialStream stream = ref _streams[place];
            stream.MoveTo(page, now);
            return Advance(place, stream.Frontier, pattern, limits, out step);
        }
    }

    /// <summary>Notes what became of a step.</summary>
    /// <param name="step">What was to be done.</param>
    /// <param name="started">Pages of the window that had to be read.</param>
    /// <param name="covered">Pages of it, from where the reader comes to it, that are in memory or under way.</param>
    public void OnBegun(in ReadAheadStep step, int started, int covered)
    {
        lock (_lock)
        {
            _all.Issue(started);
            if (step.IsBeginning)
            {
                _beginnings.Issue(started);
            }

            ref SequentialStream stream = ref _streams[step.Stream];
            if (stream.IsInUse && stream.Mark == step.Mark)
            {
                stream.Settle(started, covered);
                _streams.Bound(step.Stream);
            }
        }
    }

    /// <summary>Notes that a page that had been read ahead was evicted before anybody read it.</summary>
    public void OnWaste(long page)
    {
        lock (_lock)
        {
            _all.Waste(1);

            // The last that came there, for what earlier ones have left behind them is evicted first.
            int place = -1;
            for (int i = _streams.Next(page, 0); i >= 0; i = _streams.Next(page, i + 1))
            {
                place = _streams[i].IsAhead(page) ? Later(place, i) : place;
            }

            if (place >= 0)
            {
                ref SequentialStream stream = ref _streams[place];
                stream.Wasted++;
                if (!stream.IsProven)
                {
                    _beginnings.Waste(1);
                }
            }
        }
    }

    /// <summary>Notes that pages are read ahead because somebody asked for them.</summary>
    public void OnPrefetch(int pages)
    {
        lock (_lock)
        {
            _all.Issue(pages);
        }
    }

    /// <summary>The stream that a miss continues: the last heard of, if there are several; -1 if there is none.</summary>
    private int FindContinued(long page, long now)
    {
        int place = -1;
        for (int i = _streams.Next(page, 0); i >= 0; i = _streams.Next(page, i + 1))
        {
            place = _streams[i].Continues(page) && _streams[i].TakesMisses(now) ? Later(place, i) : place;
        }

        return place;
    }

    /// <summary>The stream in whose windows a page is: the last heard of, if there are several; -1 if there is none.</summary>
    /// <param name="page">The page.</param>
    /// <param name="direction">The direction that the stream must have; 0 for either.</param>
    /// <param name="now">The time.</param>
    private int FindAround(long page, int direction, long now)
    {
        int place = -1;
        for (int i = _streams.Next(page, 0); i >= 0; i = _streams.Next(page, i + 1))
        {
            ref readonly SequentialStream stream = ref _streams[i];
            bool isAround = stream.IsAhead(page) && (direction == 0 || direction == stream.Direction) && stream.TakesMisses(now);
            place = isAround ? Later(place, i) : place;
        }

        return place;
    }

    private int Later(int place, int other) => place < 0 || _streams[other].Heard > _streams[place].Heard ? other : place;

    /// <summary>Where the pattern is sequential, each miss belongs to a stream.</summary>
    private int FindAroundOrBegin(long page, long now)
    {
        int place = FindAround(page, direction: 0, now);
        if (place < 0)
        {
            return Begin(new SequentialStream(page, direction: 1, travelled: 0, now, interval: 0), now);
        }

        _streams[place].MoveTo(page, now);
        return place;
    }

    /// <summary>Compares a miss with the last ones. Returns the stream that it begins or goes on with; -1 if there is none, or not yet.</summary>
    private int BeginOrGoOn(long page, long now, long pages)
    {
        _candidates ??= new CandidateTable();
        int lifetime = (int)Math.Clamp(pages / CandidacyShare, Soon, LongestCandidacy);
        StreamCandidate candidate = _candidates.Note(page, (uint)now, lifetime, out int gap);
        if (candidate.Run < FirstRun)
        {
            return -1;
        }

        int place = FindAround(page, candidate.Direction, now);
        if (place >= 0)
        {
            // Its windows were evicted before it came: it goes on from here.
            _streams[place].MoveTo(page, now);
        }
        else if (candidate.Run >= FirstRun + _beginnings.Distrust + (gap > Soon ? 1 : 0))
        {
            place = Begin(new SequentialStream(page, candidate.Direction, candidate.Run - 1, now, gap), now);
        }

        if (place >= 0)
        {
            _candidates.Remove(page);
        }

        return place;
    }

    /// <summary>Puts a stream into the table. Returns its place; -1 if there is none for it.</summary>
    private int Begin(SequentialStream stream, long now)
    {
        int place = _streams.FindPlace(now);
        if (place < 0)
        {
            return place;
        }

        if (_streams[place] is { IsInUse: true, IsProven: false } ended)
        {
            // What becomes of its last window, nobody will know any more; that it was not gone through, is known.
            _beginnings.Waste(ended.Started - ended.Wasted);
        }

        _streams[place] = stream;
        return place;
    }

    /// <summary>Says what the next window of a stream is, and what a scan has left behind.</summary>
    private bool Advance(int place, long start, AccessPattern pattern, in ReadAheadLimits limits, out ReadAheadStep step)
    {
        ref SequentialStream stream = ref _streams[place];
        int direction = stream.Direction;
        Debug.Assert(direction is 1 or -1, "a stream that reads ahead has a direction");
        bool isSequential = pattern == AccessPattern.Sequential;
        int window = stream.NextWindow(LargestWindow(limits, place), isSequential);
        int distrust = _all.Distrust;
        if (distrust > 0 && !isSequential && stream.Window > 0)
        {
            // Where streams end early, one goes no further ahead than it has come, or half as far.
            window = (int)Math.Min(window, Math.Max(SequentialStream.FirstWindow, stream.Travelled / distrust));
        }

        step = default;
        if (window == 0)
        {
            _streams.Remove(place);
            return false;
        }

        stream.Begin(start, window, isSequential ? limits.Window : Reach);
        _streams.Bound(place);
        long first = direction > 0 ? start : Math.Max(0, start - window + 1);
        int count = (int)Math.Max(0, direction > 0 ? window : start - first + 1);

        (long passedFrom, int passed) = isSequential ? LeaveBehind(ref stream, limits)
            : limits.Spare < count ? LeaveBehindOldest(limits)
            : (0, 0);
        step = new ReadAheadStep(place, IsBeginning: !stream.IsProven, first, count, start, passedFrom, passed);
        return count + passed > 0;
    }

    /// <summary>
    /// Has the scan give pages up that was heard of least lately, and has left any: one that has ended, before one that goes on.
    /// While nobody is short of frames a scan keeps what it has passed, for it may be read again; this is where that ends.
    /// </summary>
    private (long From, int Count) LeaveBehindOldest(in ReadAheadLimits limits)
    {
        int oldest = -1;
        for (int i = 0; i < _streams.Count; i++)
        {
            ref readonly SequentialStream stream = ref _streams[i];
            if (stream.Travelled > limits.Scan
                && stream.Passed > limits.Window
                && (oldest < 0 || stream.Heard < _streams[oldest].Heard))
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
    private static (long From, int Count) LeaveBehind(ref SequentialStream stream, in ReadAheadLimits limits)
    {
        int count = (int)Math.Clamp(stream.Passed - limits.Window, 0, 2L * limits.Window);
        long from = stream.PassedFrom;
        stream.PassedFrom += (long)count * stream.Direction;
        return stream.Direction > 0 ? (from, count) : (from - count + 1, count);
    }

    /// <summary>The largest window while several streams are read: two of each together take half the cache at most.</summary>
    private int LargestWindow(in ReadAheadLimits limits, int place)
    {
        int others = 0;
        for (int i = 0; i < _streams.Count; i++)
        {
            others += i != place && _streams[i].IsInUse && _streams[i].Overdue(_clock) < 0 ? 1 : 0;
        }

        return (int)Math.Clamp(limits.Scan / (others + 1), Math.Min(SequentialStream.FirstWindow, limits.Window), limits.Window);
    }
}
