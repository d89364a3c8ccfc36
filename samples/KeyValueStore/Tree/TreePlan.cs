using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using StorageCache.KeyValueStore.Space;

namespace StorageCache.KeyValueStore.Tree;

/// <summary>The new images of all pages that one structure modification changes.</summary>
/// <remarks>
/// <para>
/// A structure modification is planned on copies while readers go on, and applied in one go: lease every page exclusively, from the root down
/// and from left to right, then copy the images, then let go (KV-5, KV-7). The writer lock keeps the plan true until then. Nothing can
/// fail once every page is leased, so a modification happens wholly or not at all.
/// </para>
/// <para>New pages are leased as they are allocated: nothing leads to them, so nobody waits for them.</para>
/// </remarks>
internal sealed class TreePlan(Mapping mapping, PageAllocator allocator, PageLimits limits, PageVerifier verifier)
{
    private readonly List<StagedPage> _staged = [];
    private readonly List<(PageWriteLease Lease, byte[]? Image)> _added = [];

    /// <summary>Leaf pages more than before.</summary>
    public int LeafPages { get; private set; }

    /// <summary>Branch pages more than before.</summary>
    public int BranchPages { get; private set; }

    /// <summary>Levels more than before.</summary>
    public int Height { get; set; }

    /// <summary>Whether the pages are being changed right now; still true after that has failed.</summary>
    public bool IsHalfApplied { get; private set; }

    /// <summary>Copies a tree page.</summary>
    public async ValueTask<LoadedPage> LoadAsync(long page, int level, CancellationToken cancellationToken)
    {
        if ((page != MetaPage.RootPage && !allocator.IsUsable(page)) || Holds(page))
        {
            throw new CorruptStoreException(mapping.Path, page, "the tree leads to it, but it is outside the file or free");
        }

        using PageReadLease lease = await mapping.ReadAsync(page, cancellationToken).ConfigureAwait(false);
        verifier.Verify(lease);
        LoadedPage? loaded = LoadedPage.TryLoad(page, lease.Span);
        return loaded is not null && loaded.Level == level
            ? loaded
            : throw new CorruptStoreException(mapping.Path, page, $"it is not the tree page of level {level} that it should be");
    }

    /// <summary>Adds a page to the tree.</summary>
    public async ValueTask<long> AllocateAsync(int level, CancellationToken cancellationToken)
    {
        PageWriteLease lease = await allocator.AllocateAsync(Holds, cancellationToken).ConfigureAwait(false);
        _added.Add((lease, null));
        CountPage(level, 1);
        return lease.Page;
    }

    /// <summary>Gives a page new contents. Pages of one level are staged from left to right.</summary>
    /// <param name="page">An existing page, or one that this plan has allocated.</param>
    /// <param name="currentLevel">The level it has now.</param>
    /// <param name="level">The level it shall have.</param>
    /// <param name="cells">Its cells, in order.</param>
    /// <param name="next">Next leaf.</param>
    /// <param name="previous">Previous leaf.</param>
    public void Stage(long page, int currentLevel, int level, List<PlannedCell> cells, long next, long previous)
    {
        byte[] image = new byte[limits.PageSize];
        PageHeader.InitializeTree(image, level, next, previous);
        TreePageEditor editor = new(image);
        foreach (PlannedCell cell in cells)
        {
            editor.Append(cell.Key.Span, cell.Payload.Span, cell.IsOverflow);
        }

        for (int i = 0; i < _added.Count; i++)
        {
            if (_added[i].Lease.Page == page)
            {
                _added[i] = (_added[i].Lease, image);
                return;
            }
        }

        AddStaged(new StagedPage(page, currentLevel, image));
    }

    /// <summary>Changes the link of the leaf right of the modification back to its left neighbour.</summary>
    public async ValueTask StagePreviousAsync(long page, long previous, CancellationToken cancellationToken)
    {
        LoadedPage loaded = await LoadAsync(page, 0, cancellationToken).ConfigureAwait(false);
        PageHeader.SetPrevious(loaded.Image, previous);
        AddStaged(new StagedPage(page, 0, loaded.Image));
    }

    /// <summary>Takes a page out of the tree.</summary>
    public void StageFree(long page, int level)
    {
        AddStaged(new StagedPage(page, level, null));
        CountPage(level, -1);
    }

    /// <summary>Makes the root out of its only child, which is freed.</summary>
    public void StageCollapse(long child, int childLevel)
    {
        int index = _staged.FindIndex(staged => staged.Page == child);
        if (index < 0 || _staged[index].Image is not { } image)
        {
            throw new CorruptStoreException(mapping.Path, MetaPage.RootPage, $"its only child is page {child}, which is not the page that was merged");
        }

        _staged[index] = new StagedPage(child, childLevel, null);
        AddStaged(new StagedPage(MetaPage.RootPage, childLevel + 1, image));

        // The root's own page changes from a branch to what the child was, and the child's page goes.
        CountPage(childLevel + 1, -1);
        Height--;
    }

    /// <summary>Counts the root as a page one level higher.</summary>
    public void CountRootGrowth(int oldLevel)
    {
        CountPage(oldLevel, -1);
        CountPage(oldLevel + 1, 1);
        Height++;
    }

    /// <summary>Leases every page, changes them all, and lets go.</summary>
    public async ValueTask ApplyAsync(CancellationToken cancellationToken)
    {
        // Stable: within a level the order of staging, which is from left to right, stays.
        StagedPage[] ordered = [.. _staged.OrderByDescending(staged => staged.Level)];
        SealImages(ordered);
        PageWriteLease[] leases = new PageWriteLease[ordered.Length];
        try
        {
            for (int i = 0; i < ordered.Length; i++)
            {
                leases[i] = await mapping.WriteAsync(ordered[i].Page, cancellationToken).ConfigureAwait(false);
            }

            IsHalfApplied = true;
            for (int i = 0; i < ordered.Length; i++)
            {
                if (ordered[i].Image is { } image)
                {
                    leases[i].Replace(image);
                }
                else
                {
                    allocator.Free(ref leases[i]);
                }
            }

            while (_added.Count > 0)
            {
                (PageWriteLease added, byte[]? image) = _added[^1];
                added.Replace(image);
                _added.RemoveAt(_added.Count - 1);
                added.Dispose();
            }

            IsHalfApplied = false;
        }
        finally
        {
            for (int i = 0; i < leases.Length; i++)
            {
                if (leases[i].IsHeld)
                {
                    leases[i].Dispose();
                }
            }
        }
    }

    /// <summary>Gives back the pages of a plan that is not applied; does nothing after <see cref="ApplyAsync"/>.</summary>
    public void Abandon()
    {
        foreach ((PageWriteLease lease, _) in _added)
        {
            PageWriteLease added = lease;
            allocator.Free(ref added);
            added.Dispose();
        }

        _added.Clear();
    }

    /// <summary>Gives the images their checksums, before anybody has to wait for the pages.</summary>
    private void SealImages(StagedPage[] staged)
    {
        foreach (StagedPage page in staged)
        {
            if (page.Image is not null)
            {
                PageChecksum.Write(page.Image, page.Page);
            }
        }

        foreach ((PageWriteLease lease, byte[]? image) in _added)
        {
            PageChecksum.Write(image, lease.Page);
        }
    }

    /// <summary>Notes what becomes of a page. A tree in which a page has two places would have it latched twice, and wait for itself.</summary>
    private void AddStaged(in StagedPage added)
    {
        foreach (StagedPage staged in _staged)
        {
            if (staged.Page == added.Page)
            {
                throw new CorruptStoreException(mapping.Path, added.Page, "it has two places in the tree");
            }
        }

        _staged.Add(added);
    }

    /// <summary>Whether a page is one that this plan has allocated, and holds exclusively.</summary>
    private bool Holds(long page) => _added.Exists(added => added.Lease.Page == page);

    private void CountPage(int level, int change)
    {
        if (level == 0)
        {
            LeafPages += change;
        }
        else
        {
            BranchPages += change;
        }
    }
}
