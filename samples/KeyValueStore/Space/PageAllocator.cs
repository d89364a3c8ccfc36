using System.Diagnostics;
using System.Numerics;
using StorageCache.KeyValueStore.Format;

namespace StorageCache.KeyValueStore.Space;

/// <summary>Knows in memory which pages are to be had: those that are free on the device, and those behind the end of the file.</summary>
/// <remarks>
/// <para>
/// A page that is taken is spoken for in memory only; the commit that makes use of it sets its bit in the map (KV-9). A page that a commit frees is not
/// taken before that commit is durable: until then a crash may bring back what leads to it, and its bytes have to be there. Nor is it while
/// somebody reads the value that it carries (KV-8).
/// </para>
/// <para>Only the holder of the writer lock may call this; the numbers may be read by anybody.</para>
/// </remarks>
internal sealed class PageAllocator(PageLimits limits, ActiveReads activeReads)
{
    private const int WordShift = 6;
    private const int WordMask = (1 << WordShift) - 1;

    private readonly MapLayout _layout = new(limits.PageSize);

    /// <summary>A bit per page and an array per group: set for a page that is not to be had.</summary>
    private readonly List<ulong[]> _taken = [];

    private readonly List<FreedPages> _freed = [];
    private long _pageCount;
    private long _end;
    private long _usedPages;

    /// <summary>Pages below the end of the file that are to be had.</summary>
    private long _idlePages;

    /// <summary>Where the search for a page goes on.</summary>
    private long _cursor;

    /// <summary>Pages of the file as of the last commit, page 0 included. It never shrinks.</summary>
    /// <remarks>All that may be said of the store elsewhere: groups that only a change which was given up has reached have no map page.</remarks>
    public long PageCount => Volatile.Read(ref _pageCount);

    /// <summary>Where the file ends, in pages, with those that are spoken for, or were once: what the next commit makes <see cref="PageCount"/>.</summary>
    public long End
    {
        get => Volatile.Read(ref _end);
        private set => Volatile.Write(ref _end, value);
    }

    /// <summary>Pages of the file that are not in use as of the last commit.</summary>
    public long FreePages => PageCount - Volatile.Read(ref _usedPages);

    /// <summary>Map pages of the file.</summary>
    public int MapPages => _layout.GroupCount(PageCount);

    /// <summary>Begins anew with a file of so many pages, all of them in use until <see cref="RestoreGroup"/> has said otherwise.</summary>
    public void Restore(long pageCount)
    {
        _taken.Clear();
        _freed.Clear();
        _cursor = 0;
        _idlePages = 0;
        _usedPages = pageCount;
        End = pageCount;
        Volatile.Write(ref _pageCount, pageCount);
        for (int group = 0; group < _layout.GroupCount(pageCount); group++)
        {
            ulong[] words = NewGroup();
            Array.Fill(words, ulong.MaxValue);
            _taken.Add(words);
        }
    }

    /// <summary>Takes over a map page. False if its bits cannot be right: pages that every store has are free, or there are some behind the end.</summary>
    /// <param name="group">The group.</param>
    /// <param name="map">The map page.</param>
    public bool RestoreGroup(int group, ReadOnlySpan<byte> map)
    {
        long first = _layout.FirstPageOf(group);
        int pages = (int)Math.Min(_layout.GroupPages, End - first);
        ulong[] words = _taken[group];
        long used = 0;
        for (int i = 0; i < words.Length; i++)
        {
            words[i] = MapPage.Word(map, i);
            used += BitOperations.PopCount(words[i]);
        }

        bool isRight = Contains(_layout.MapPageOf(group)) && (group > 0 || (Contains(MetaPage.PageNumber) && Contains(MetaPage.RootPage)));
        for (int i = pages; i < _layout.GroupPages && isRight; i++)
        {
            isRight = !Contains(first + i);
        }

        _idlePages += pages - used;
        _usedPages -= pages - used;
        return isRight;
    }

    /// <summary>Whether a page is one that the store uses and that others may lead to.</summary>
    public bool IsUsable(long page) => page > MetaPage.RootPage && page < End && !_layout.IsMapPage(page);

    /// <summary>Takes a page, which nothing leads to.</summary>
    /// <param name="near">The page that would be best, if it is to be had; 0 for any.</param>
    public long Take(long near)
    {
        long page = near > 0 && near < End && !Contains(near) ? near : FindIdle();
        if (page < 0)
        {
            page = Grow();
        }

        SetTaken(page);
        _cursor = page + 1;
        return page;
    }

    /// <summary>Takes neighbouring pages.</summary>
    /// <param name="pages">How many, 1 or more; fewer than a group has.</param>
    /// <returns>The first of them.</returns>
    public long TakeRun(int pages)
    {
        Debug.Assert(pages < _layout.GroupPages);
        long first = _idlePages >= pages ? FindIdleRun(pages) : -1;
        if (first < 0)
        {
            first = GrowRun(pages);
        }

        for (int i = 0; i < pages; i++)
        {
            SetTaken(first + i);
        }

        _cursor = first + pages;
        return first;
    }

    /// <summary>Gives back pages that were taken and that no commit has made use of.</summary>
    public void Return(PageRun run)
    {
        for (int i = 0; i < run.Count; i++)
        {
            ClearTaken(run.First + i);
        }
    }

    /// <summary>Counts what a commit makes use of, and takes over what it frees.</summary>
    /// <param name="added">Pages that it has taken into use.</param>
    /// <param name="freed">What it frees.</param>
    public void Commit(long added, IReadOnlyList<FreedPages> freed)
    {
        long used = _usedPages + added;
        foreach (FreedPages pages in freed)
        {
            _freed.Add(pages);
            foreach (PageRun run in pages.Runs)
            {
                used -= run.Count;
            }
        }

        Volatile.Write(ref _usedPages, used);
        Volatile.Write(ref _pageCount, End);
    }

    /// <summary>Lets go of the freed pages that may be used again.</summary>
    /// <param name="durableLsn">Up to where the log is durable.</param>
    public void Reclaim(ulong durableLsn)
    {
        for (int i = _freed.Count - 1; i >= 0; i--)
        {
            FreedPages freed = _freed[i];
            if (freed.Lsn > durableLsn || (freed.Value != 0 && activeReads.IsActive(freed.Value)))
            {
                continue;
            }

            foreach (PageRun run in freed.Runs)
            {
                Return(run);
            }

            _freed[i] = _freed[^1];
            _freed.RemoveAt(_freed.Count - 1);
        }
    }

    private ulong[] NewGroup() => new ulong[_layout.GroupPages >> WordShift];

    private bool Contains(long page) => (_taken[_layout.GroupOf(page)][WordOf(page)] & BitOf(page)) != 0;

    private int WordOf(long page) => (int)(page % _layout.GroupPages) >> WordShift;

    // A group has a multiple of 64 pages.
    private static ulong BitOf(long page) => 1UL << (int)(page & WordMask);

    private void SetTaken(long page)
    {
        Debug.Assert(!Contains(page), "a page is taken once");
        _taken[_layout.GroupOf(page)][WordOf(page)] |= BitOf(page);
        _idlePages--;
    }

    private void ClearTaken(long page)
    {
        Debug.Assert(Contains(page), "a page is given back once");
        _taken[_layout.GroupOf(page)][WordOf(page)] &= ~BitOf(page);
        _idlePages++;
    }

    /// <summary>Makes the file one page longer, and a group if it begins there. Returns a page that is to be had.</summary>
    private long Grow()
    {
        while (true)
        {
            long page = End;
            if (_layout.GroupOf(page) == _taken.Count)
            {
                _taken.Add(NewGroup());
            }

            End = page + 1;
            _idlePages++;
            if (!_layout.IsMapPage(page))
            {
                return page;
            }

            SetTaken(page);
        }
    }

    private long GrowRun(int pages)
    {
        // Idle pages at the end are the beginning of the run, unless the group ends too soon.
        long first = End;
        while (first > 0 && _layout.GroupOf(first - 1) == _layout.GroupOf(End - 1) && End - first < pages && !Contains(first - 1))
        {
            first--;
        }

        if (_layout.GroupOf(first) != _layout.GroupOf(first + pages - 1) || _layout.IsMapPage(first))
        {
            // The map page of the next group would be among them: they begin behind it.
            int group = _layout.GroupOf(first + pages - 1);
            first = _layout.MapPageOf(group) + 1;
        }

        while (End < first + pages)
        {
            Grow();
        }

        return first;
    }

    private long FindIdle()
    {
        if (_idlePages == 0)
        {
            return -1;
        }

        long found = FindIdle(_cursor, End);
        return found >= 0 ? found : FindIdle(0, Math.Min(_cursor, End));
    }

    /// <summary>The first page to be had from one on; -1 if there is none before the end.</summary>
    private long FindIdle(long from, long end)
    {
        for (long page = from; page < end;)
        {
            ulong idle = ~_taken[_layout.GroupOf(page)][WordOf(page)] & (ulong.MaxValue << (int)(page & WordMask));
            if (idle != 0)
            {
                long found = (page & ~(long)WordMask) + BitOperations.TrailingZeroCount(idle);
                return found < end ? found : -1;
            }

            page = (page | WordMask) + 1;
        }

        return -1;
    }

    private long FindIdleRun(int pages)
    {
        for (long first = FindIdle(0, End); first >= 0;)
        {
            long end = first + 1;
            while (end < first + pages && end < End && !Contains(end))
            {
                end++;
            }

            if (end == first + pages)
            {
                return first;
            }

            first = FindIdle(end, End);
        }

        return -1;
    }
}
