using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using StorageCache.KeyValueStore.Space;

namespace StorageCache.KeyValueStore.Commits;

/// <summary>
/// What one commit is going to change, on copies of the pages: one operation or many, which see what those before them have done. Nothing of it is
/// in the cache, nor in the log, before <see cref="Committer.CommitAsync"/>; so a commit happens wholly or not at all.
/// </summary>
/// <remarks>Only the holder of the writer lock may use it.</remarks>
internal sealed class ChangeSet(Mapping mapping, PageAllocator allocator, PageVerifier verifier, PageImages images, TreeCounts counts)
{
    private readonly Dictionary<long, ChangedPage> _pages = [];
    private readonly Dictionary<long, PageRun[]> _addedValues = [];
    private readonly List<PageRun> _added = [];
    private readonly List<PageRun> _dropped = [];
    private readonly List<PageRun> _freedTreePages = [];
    private readonly List<FreedPages> _freedValues = [];

    /// <summary>What the tree holds after the operations so far.</summary>
    public TreeCounts Counts { get; set; } = counts;

    /// <summary>Told the LSN, when the commit has happened and before anybody sees it.</summary>
    public Action<ulong>? Committed { get; set; }

    /// <summary>The pages that have been looked at, in no order.</summary>
    public IReadOnlyCollection<ChangedPage> Pages => _pages.Values;

    /// <summary>Pages that were taken and are used by the tree or by a value.</summary>
    public IEnumerable<PageRun> Added => _addedValues.Values.SelectMany(static runs => runs).Concat(_added);

    /// <summary>Pages that were taken, and given up again by a later operation.</summary>
    public IReadOnlyList<PageRun> Dropped => _dropped;

    /// <summary>Pages of the tree that were in use before.</summary>
    public IReadOnlyList<PageRun> FreedTreePages => _freedTreePages;

    /// <summary>Values that were in use before; their LSN is not known yet.</summary>
    public IReadOnlyList<FreedPages> FreedValues => _freedValues;

    /// <summary>The page as the operations so far leave it; null when none of them has looked at it.</summary>
    public ChangedPage? Find(long page) => _pages.GetValueOrDefault(page);

    /// <summary>Copies a tree page out of the cache, unless that has been done.</summary>
    /// <exception cref="CorruptStoreException">It is not a tree page, or its checksum is wrong.</exception>
    public async ValueTask<ChangedPage> LoadTreePageAsync(long page, CancellationToken cancellationToken)
    {
        if (_pages.TryGetValue(page, out ChangedPage? known))
        {
            return known;
        }

        using PageReadLease lease = await mapping.ReadAsync(page, cancellationToken).ConfigureAwait(false);
        verifier.VerifyTreePage(lease);
        if (!new TreePage(lease.Span).IsConsistent)
        {
            throw CorruptStoreException.NotATreePage(mapping.Path, page);
        }

        return Add(page, PageHeader.Level(lease.Span), lease.Span);
    }

    /// <summary>Copies a map page out of the cache, unless that has been done.</summary>
    /// <exception cref="CorruptStoreException">It is not that map page, or its checksum is wrong.</exception>
    public async ValueTask<ChangedPage> LoadMapPageAsync(long page, long firstMapped, CancellationToken cancellationToken)
    {
        if (_pages.TryGetValue(page, out ChangedPage? known))
        {
            return known;
        }

        using PageReadLease lease = await mapping.ReadAsync(page, cancellationToken).ConfigureAwait(false);
        verifier.Verify(lease);
        return MapPage.IsMapOf(lease.Span, firstMapped)
            ? Add(page, ChangedPage.MapLevel, lease.Span)
            : throw new CorruptStoreException(mapping.Path, page, "it is not the map page that it should be");
    }

    /// <summary>The bytes of a page, to be changed.</summary>
    public byte[] Edit(ChangedPage page)
    {
        if (page.After is null)
        {
            page.After = images.Rent();
            page.Before?.CopyTo(page.After, 0);
        }

        return page.After;
    }

    /// <summary>Takes a page for the tree.</summary>
    /// <param name="level">The level that it will have.</param>
    /// <returns>Its number; its bytes are zero.</returns>
    public long AddTreePage(int level)
    {
        long page = allocator.Take(near: 0);
        _added.Add(new PageRun(page, 1));
        AddNew(page, level);
        return page;
    }

    /// <summary>Notes a map page of a group that has none yet. Its bytes are zero.</summary>
    public ChangedPage AddMapPage(long page) => AddNew(page, ChangedPage.MapLevel);

    /// <summary>Notes the pages of a value that has been written.</summary>
    public void AddValue(long firstPage, PageRun[] runs) => _addedValues.Add(firstPage, runs);

    /// <summary>Takes a page out of the tree.</summary>
    public void FreeTreePage(ChangedPage page)
    {
        page.IsFreed = true;
        if (!page.IsNew)
        {
            _freedTreePages.Add(new PageRun(page.Page, 1));
            return;
        }

        _pages.Remove(page.Page);
        _added.Remove(new PageRun(page.Page, 1));
        _dropped.Add(new PageRun(page.Page, 1));
    }

    /// <summary>Gives up the pages of a value.</summary>
    /// <param name="firstPage">Its first page.</param>
    /// <param name="runs">All of them; null if it is one that this commit has added.</param>
    public void FreeValue(long firstPage, PageRun[]? runs)
    {
        if (_addedValues.Remove(firstPage, out PageRun[]? added))
        {
            _dropped.AddRange(added);
        }
        else
        {
            _freedValues.Add(new FreedPages(0, firstPage, runs ?? throw new ArgumentNullException(nameof(runs))));
        }
    }

    /// <summary>Whether there is nothing to commit.</summary>
    public bool IsEmpty => _addedValues.Count == 0 && _dropped.Count == 0 && _pages.Values.All(static page => page.After is null && !page.IsFreed);

    /// <summary>Whether a value is one that this commit has added.</summary>
    public bool HasAddedValue(long firstPage) => _addedValues.ContainsKey(firstPage);

    /// <summary>Gives back all that was taken. Nothing has happened then.</summary>
    public void Abandon()
    {
        foreach (PageRun run in Added)
        {
            allocator.Return(run);
        }

        foreach (PageRun run in _dropped)
        {
            allocator.Return(run);
        }

        Release();
    }

    /// <summary>Returns the copies.</summary>
    public void Release()
    {
        foreach (ChangedPage page in _pages.Values)
        {
            images.Return(page.Before);
            images.Return(page.After);
        }

        _pages.Clear();
    }

    private ChangedPage Add(long page, int level, ReadOnlySpan<byte> bytes)
    {
        byte[] before = images.Rent();
        bytes.CopyTo(before);
        ChangedPage added = new(page, level, before);
        _pages.Add(page, added);
        return added;
    }

    private ChangedPage AddNew(long page, int level)
    {
        ChangedPage added = new(page, level, null) { After = images.Rent() };
        Array.Clear(added.After);
        _pages.Add(page, added);
        return added;
    }
}
