using StorageCache.Buffers;
using StorageCache.IO;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache.ReadAhead;

/// <summary>
/// Gathers absent pages of one mapping for reading, without a waiter: neighbours that come one after the other travel in one
/// request, and requests in one system call. Lives on the stack of the one who gathers, and submits at the latest when it is
/// disposed of. Nobody else's code runs on the thread meanwhile (RA-10).
/// </summary>
internal unsafe ref struct LoadRuns
{
    /// <summary>Pages looked at without a request after which what has been gathered goes off, so that nobody waits for it in vain.</summary>
    private const int LooksAtMost = 256;

    private readonly Mapping _mapping;
    private readonly InlineResumption.Bar _bar;
    private readonly SubmissionPlug _plug;
    private PageLoad? _load;
    private int _looks;

    public LoadRuns(Mapping mapping)
    {
        _mapping = mapping;
        _bar = InlineResumption.Forbid();
        _plug = SubmissionPlug.Begin();
    }

    /// <summary>Pages that are being read because of this.</summary>
    public int Started { get; private set; }

    /// <summary>
    /// Claims a page for reading, unless it is in memory or somebody else reads it. Returns false if it cannot be had: no
    /// frame is free, or somebody waits for one (RA-8), or there is no such page.
    /// </summary>
    /// <param name="page">The page.</param>
    /// <param name="mark">Whether it is to carry the read-ahead mark, whoever reads it.</param>
    public bool TryAdd(long page, bool mark = false)
    {
        if (_mapping.IsComing(page))
        {
            PassOver(page, mark);
            return true;
        }

        if (_load is { Count: > 0 } && (_load.Count == _load.MaximumPages || page != _load.FirstPage + _load.Count))
        {
            Submit();
        }

        // Before the claim: one whose load cannot be made would stay loading for ever (RA-2).
        _load ??= _mapping.Core.Loads.RentRun();
        if (_mapping.Core.FrameQueue.Count > 0 || !_mapping.TryClaimAhead(page, mark, out Slot* slot, out uint frame))
        {
            return false;
        }

        if (slot == null)
        {
            PassOver(page, mark);
            return true;
        }

        ReadyChain ready = default;
        if (_mapping.TryFinishByExtent(slot, page, ref ready))
        {
            // In memory for another file: nothing to read.
            _mapping.Core.Frames.DropReference(frame);
            ready.Dispatch();
            PassOver(page, mark: false);
            Started++;
            return true;
        }

        if (_load.Count == 0)
        {
            _load.Begin(_mapping, page);
        }

        _load.Add(slot, frame);
        _looks = 0;
        Started++;
        return true;
    }

    /// <summary>As <see cref="TryAdd"/>; if no frame is free, evicts for the page and for some of those that follow.</summary>
    /// <param name="page">The page.</param>
    /// <param name="following">How many more there are going to be.</param>
    public bool TryAddEvicting(long page, long following)
    {
        const int EvictedAtOnce = 64;
        return TryAdd(page)
            || (_mapping.Core.FrameQueue.Count == 0
                && _mapping.Core.Reclaimer.Evict((int)Math.Min(following + 1, EvictedAtOnce)) > 0
                && TryAdd(page));
    }

    /// <summary>Submits what has been gathered and counts it.</summary>
    public void Dispose()
    {
        Submit();
        if (_load is not null)
        {
            _mapping.Core.Loads.Return(_load);
        }

        _mapping.Core.Counters.Prefetched(Started);
        _plug.Dispose();
        _bar.Dispose();
    }

    /// <summary>Goes past a page that is there: neighbours on both sides of it travel in different requests.</summary>
    private void PassOver(long page, bool mark)
    {
        Submit();
        if (++_looks == LooksAtMost)
        {
            SubmissionPlug.Flush();
        }

        if (mark)
        {
            _mapping.Mark(page);
        }
    }

    private void Submit()
    {
        if (_load is { Count: > 0 } load)
        {
            _load = null;
            load.Start(isBlocking: false);
        }
    }
}
