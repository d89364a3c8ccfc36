using StorageCache.KeyValueStore.Commits;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Space;

namespace StorageCache.KeyValueStore.Tree;

/// <summary>One structure modification: the pages that it gives new cells, adds to the tree, and takes out of it, in the change set that it belongs to.</summary>
internal sealed class TreePlan(Mapping mapping, ChangeSet changes, PageAllocator allocator)
{
    private readonly List<long> _staged = [];

    /// <summary>Leaf pages more than before.</summary>
    public int LeafPages { get; private set; }

    /// <summary>Branch pages more than before.</summary>
    public int BranchPages { get; private set; }

    /// <summary>Levels more than before.</summary>
    public int Height { get; private set; }

    /// <summary>Takes a copy of a tree page apart.</summary>
    public async ValueTask<LoadedPage> LoadAsync(long page, int level, CancellationToken cancellationToken)
    {
        if (page != MetaPage.RootPage && !allocator.IsUsable(page))
        {
            throw new CorruptStoreException(mapping.Path, page, "the tree leads to it, but it is outside the file or no page of the tree");
        }

        ChangedPage changed = await changes.LoadTreePageAsync(page, cancellationToken).ConfigureAwait(false);
        LoadedPage? loaded = changed.IsFreed ? null : LoadedPage.TryLoad(page, changed.Current);
        return loaded is not null && loaded.Level == level
            ? loaded
            : throw new CorruptStoreException(mapping.Path, page, $"it is not the tree page of level {level} that it should be");
    }

    /// <summary>Adds a page to the tree.</summary>
    public long Allocate(int level)
    {
        CountPage(level, 1);
        return changes.AddTreePage(level);
    }

    /// <summary>Gives a page new contents.</summary>
    /// <param name="page">A page that this plan has loaded or allocated.</param>
    /// <param name="level">The level it shall have.</param>
    /// <param name="cells">Its cells, in order.</param>
    /// <param name="next">Next leaf.</param>
    /// <param name="previous">Previous leaf.</param>
    public void Stage(long page, int level, List<PlannedCell> cells, long next, long previous)
    {
        byte[] image = changes.Edit(Note(page));

        // The bytes between slots and cells are zero, so that the log need not say them.
        Array.Clear(image);
        PageHeader.InitializeTree(image, level, next, previous);
        TreePageEditor editor = new(image);
        foreach (PlannedCell cell in cells)
        {
            editor.Append(cell.Key.Span, cell.Payload.Span, cell.IsOverflow);
        }
    }

    /// <summary>Changes the link of the leaf right of the modification back to its left neighbour.</summary>
    public async ValueTask StagePreviousAsync(long page, long previous, CancellationToken cancellationToken)
    {
        await LoadAsync(page, 0, cancellationToken).ConfigureAwait(false);
        PageHeader.SetPrevious(changes.Edit(Note(page)), previous);
    }

    /// <summary>Takes a page out of the tree.</summary>
    public void StageFree(long page, int level)
    {
        changes.FreeTreePage(Note(page));
        CountPage(level, -1);
    }

    /// <summary>Makes the root out of its only child, which is freed.</summary>
    public void StageCollapse(long child, int childLevel)
    {
        if (!_staged.Contains(child) || changes.Find(child) is not { IsFreed: false } merged)
        {
            throw new CorruptStoreException(mapping.Path, MetaPage.RootPage, $"its only child is page {child}, which is not the page that was merged");
        }

        merged.Current.CopyTo(changes.Edit(Note(MetaPage.RootPage)), 0);
        changes.FreeTreePage(merged);

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

    /// <summary>Notes that a page gets another role. In a tree in which a page has two places it would get two.</summary>
    private ChangedPage Note(long page)
    {
        if (_staged.Contains(page))
        {
            throw new CorruptStoreException(mapping.Path, page, "it has two places in the tree");
        }

        _staged.Add(page);
        return changes.Find(page) ?? throw new InvalidOperationException($"Page {page} has not been loaded.");
    }

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
