using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.ReadAhead;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>Reading pages before they are asked for, and giving up those that nobody will ask for.</content>
public sealed unsafe partial class Mapping
{
    /// <summary>The part of the cache that one call may fill with pages read ahead.</summary>
    private const int PrefetchShare = 2;

    /// <summary>
    /// Starts to read the pages of a range that are not in memory, neighbours in one request, without waiting for them: the
    /// hint that posix_fadvise calls <c>WILLNEED</c>. It evicts what can be evicted at once, and is cut short by half the
    /// cache, by frames that are all in use, and by the end of the file.
    /// </summary>
    /// <param name="firstPage">The first page; 0 or more.</param>
    /// <param name="count">How many pages; 0 or more. Those beyond the end of the file are left out.</param>
    /// <returns>How many pages are being read because of this call.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An argument is negative.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    public long Prefetch(long firstPage, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstPage);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ThrowIfClosed();

        long pages = Math.Min(count, PageCount - firstPage);
        int most = _core.FrameCapacity / PrefetchShare;
        using LoadRuns runs = new(this);
        for (long page = firstPage; page < firstPage + pages && runs.Started < most; page++)
        {
            if (!runs.TryAddEvicting(page, firstPage + pages - page - 1))
            {
                break;
            }
        }

        _streams.OnPrefetch(runs.Started);
        return runs.Started;
    }

    /// <summary>
    /// Takes the pages of a range out of memory that nobody uses at the moment: the hint that posix_fadvise calls
    /// <c>DONTNEED</c>. Pages that are dirty, under write-back, latched or pinned stay.
    /// </summary>
    /// <param name="firstPage">The first page; 0 or more.</param>
    /// <param name="count">How many pages; 0 or more. Those beyond the end of the file are left out.</param>
    /// <returns>How many pages were taken out.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An argument is negative.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    public long DontNeed(long firstPage, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstPage);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ThrowIfClosed();

        using InlineResumption.Bar bar = InlineResumption.Forbid();
        long evicted = 0;
        long end = firstPage + Math.Clamp(PageCount - firstPage, 0, count);
        long page = firstPage;
        while (page < end)
        {
            // Leaf by leaf: what has no leaf has no pages, however long the range is.
            LeafHeader* leaf = _table.EnterNextLeaf(page);
            if (leaf == null)
            {
                break;
            }

            long leafEnd = Math.Min(end, leaf->FirstPage + PageTable.SlotsPerLeaf);
            Slot* slots = _core.PageTables.SlotsOf(leaf);
            for (page = Math.Max(page, leaf->FirstPage); page < leafEnd; page++)
            {
                if (_core.Reclaimer.TryEvict(slots + (page - leaf->FirstPage), onlyPassed: false))
                {
                    evicted++;
                }
            }

            page = leaf->FirstPage + PageTable.SlotsPerLeaf;
            _core.PageTables.Leave(leaf);
        }

        return evicted;
    }

    /// <summary>Whether a page is in memory or on its way there.</summary>
    internal bool IsComing(long page)
    {
        Slot* slot = _table.Find(page);
        return slot != null && (StateWord.Load(slot) & (StateWord.UpToDate | StateWord.Loading)) != 0;
    }

    /// <summary>
    /// Claims an absent page for a load without a waiter. Returns false if there is no room for it, or no such page; the slot is
    /// null if somebody else has brought the page in meanwhile.
    /// </summary>
    /// <param name="page">The page.</param>
    /// <param name="mark">Whether it carries the read-ahead mark.</param>
    /// <param name="claimed">Its slot.</param>
    /// <param name="frame">A frame for it.</param>
    internal bool TryClaimAhead(long page, bool mark, out Slot* claimed, out uint frame) =>
        TryClaimNow(page, isNew: false, _core.Reclaimer.ReferenceOfPrefetched | (mark ? StateWord.ReadAheadMark : 0), out claimed, out frame);
}
