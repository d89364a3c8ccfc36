using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using StorageCache.KeyValueStore.Space;

namespace StorageCache.KeyValueStore.Tree;

/// <summary>Inserts, replaces and removes keys. Only the holder of the writer lock may call this.</summary>
/// <remarks>
/// A change that fits its leaf is made there, under one exclusive lease. Any other is planned from the leaf up to the first page that
/// neither overflows nor gets too empty, and applied by <see cref="TreePlan"/>.
/// </remarks>
internal sealed class TreeWriter(Mapping mapping, PageAllocator allocator, PageLimits limits, PageVerifier verifier, TreeCounts counts)
{
    private readonly List<PathStep> _path = [];
    private TreeCounts _counts = counts;

    /// <summary>What the tree holds; may be read by anybody.</summary>
    public TreeCounts Counts
    {
        get => Volatile.Read(ref _counts);
        private set => Volatile.Write(ref _counts, value);
    }

    /// <summary>What stopped a change half way; null unless that has happened, which takes a bug.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Puts a key with its payload, in place of the one it has if it has one.</summary>
    public ValueTask<TreeChange> UpsertAsync(ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> payload, bool isOverflow, CancellationToken cancellationToken) =>
        ChangeAsync(key, new PlannedCell(key, payload, isOverflow), cancellationToken);

    /// <summary>Removes a key.</summary>
    public ValueTask<TreeChange> RemoveAsync(ReadOnlyMemory<byte> key, CancellationToken cancellationToken) =>
        ChangeAsync(key, null, cancellationToken);

    /// <summary>Whether a key is there. Changes nothing and takes no exclusive lease.</summary>
    public async ValueTask<bool> ContainsAsync(ReadOnlyMemory<byte> key, CancellationToken cancellationToken)
    {
        await FindPathAsync(key, cancellationToken).ConfigureAwait(false);
        using PageReadLease lease = await mapping.ReadAsync(_path[^1].Page, cancellationToken).ConfigureAwait(false);
        verifier.VerifyTreePage(lease);
        TreePage page = new(lease.Span);
        return page.IsPlausible && page.Level == 0 && page.TrySearch(key.Span, out _, out bool found) ? found : throw NotATreePage(lease.Page);
    }

    private async ValueTask<TreeChange> ChangeAsync(ReadOnlyMemory<byte> key, PlannedCell? cell, CancellationToken cancellationToken)
    {
        await FindPathAsync(key, cancellationToken).ConfigureAwait(false);
        LoadedPage leaf;
        int index;
        TreeChange change;
        PageWriteLease lease = await mapping.WriteAsync(_path[^1].Page, cancellationToken).ConfigureAwait(false);
        try
        {
            verifier.VerifyTreePage(ref lease);
            TreePage page = new(lease.Span);
            if (!page.IsPlausible || page.Level != 0 || !page.TrySearch(key.Span, out index, out bool found))
            {
                throw NotATreePage(lease.Page);
            }

            TreeCell old = default;
            if (found)
            {
                page.TryGetCell(index, out old);
            }

            if (old.IsOverflow && !IsReference(old.Payload))
            {
                throw new CorruptStoreException(mapping.Path, lease.Page, $"where it says that the value of cell {index} is, there can be none");
            }

            change = new TreeChange(found, old.Payload.ToArray(), old.IsOverflow);
            if (!found && cell is null)
            {
                return change;
            }

            TreePageEditor editor = new(lease.Span);
            int oldSize = editor.Used;
            int newSize = oldSize - (found ? old.Footprint : 0) + (cell?.Footprint ?? 0);
            bool isRoot = _path.Count == 1;
            if (newSize <= limits.Capacity && (isRoot || newSize >= limits.MinimumFill || newSize >= oldSize))
            {
                if (found)
                {
                    editor.RemoveAt(index);
                }

                if (cell is { } placed)
                {
                    editor.Insert(index, placed.Key.Span, placed.Payload.Span, placed.IsOverflow);
                }

                lease.Seal(PageTrust.Cells);
                CountEntry(change, key.Length, cell);
                return change;
            }

            leaf = LoadedPage.TryLoad(lease.Page, lease.Span) ?? throw NotATreePage(lease.Page);
        }
        finally
        {
            lease.Dispose();
        }

        if (change.Existed)
        {
            leaf.Cells.RemoveAt(index);
        }

        if (cell is { } planned)
        {
            leaf.Cells.Insert(index, planned);
        }

        TreePlan plan = new(mapping, allocator, limits, verifier);
        try
        {
            await PlanAsync(plan, leaf, cell is null ? -1 : index, cancellationToken).ConfigureAwait(false);
            await plan.ApplyAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            if (plan.IsHalfApplied)
            {
                Failure = exception;
            }

            plan.Abandon();
            throw;
        }

        Counts = Counts with
        {
            Height = Counts.Height + plan.Height,
            LeafPages = Counts.LeafPages + plan.LeafPages,
            BranchPages = Counts.BranchPages + plan.BranchPages,
        };
        CountEntry(change, key.Length, cell);
        return change;
    }

    /// <summary>Finds the way from the root to the key's leaf, without the leaf itself. Nobody else changes the tree, so one lease at a time is enough.</summary>
    private async ValueTask FindPathAsync(ReadOnlyMemory<byte> key, CancellationToken cancellationToken)
    {
        _path.Clear();
        SeekTarget target = new(SeekKind.Containing, key);
        long number = MetaPage.RootPage;
        for (int level = Counts.Height - 1; level > 0; level--)
        {
            using PageReadLease lease = await mapping.ReadAsync(number, cancellationToken).ConfigureAwait(false);
            verifier.VerifyTreePage(lease);
            TreePage page = new(lease.Span);
            if (!page.IsPlausible || page.Level != level || !page.TryFindChild(target, out int index, out long child) || !allocator.IsUsable(child))
            {
                throw NotATreePage(number);
            }

            _path.Add(new PathStep(number, index, index == page.Count - 1));
            number = child;
        }

        _path.Add(new PathStep(number, 0, true));
    }

    /// <summary>Plans from the changed leaf upwards.</summary>
    /// <param name="plan">Receives the new images.</param>
    /// <param name="page">The leaf with its cells changed already.</param>
    /// <param name="insertedAt">Where a cell has been put in or replaced; -1 when one has been taken out.</param>
    /// <param name="cancellationToken">Ends the planning; nothing has changed then.</param>
    private async ValueTask PlanAsync(TreePlan plan, LoadedPage page, int insertedAt, CancellationToken cancellationToken)
    {
        for (int depth = _path.Count - 1; ; depth--)
        {
            int size = LoadedPage.SizeOf(page.Cells);
            if (depth == 0)
            {
                await PlanRootAsync(plan, page, size, insertedAt, cancellationToken).ConfigureAwait(false);
                return;
            }

            bool tooEmpty = size < limits.MinimumFill && size < page.Size;
            if (size <= limits.Capacity && !tooEmpty)
            {
                plan.Stage(page.Number, page.Level, page.Level, page.Cells, page.Next, page.Previous);
                return;
            }

            LoadedPage parent = await plan.LoadAsync(_path[depth - 1].Page, page.Level + 1, cancellationToken).ConfigureAwait(false);
            int childIndex = _path[depth - 1].Index;
            if (size > limits.Capacity)
            {
                bool atEnd = insertedAt == page.Cells.Count - 1 && IsLastOnLevel(depth);
                (List<PlannedCell> left, List<PlannedCell> right, ReadOnlyMemory<byte> separator) = Split(page.Cells, page.Level, atEnd);
                long added = await plan.AllocateAsync(page.Level, cancellationToken).ConfigureAwait(false);
                bool isLeaf = page.Level == 0;
                plan.Stage(page.Number, page.Level, page.Level, left, isLeaf ? added : 0, page.Previous);
                plan.Stage(added, page.Level, page.Level, right, page.Next, isLeaf ? page.Number : 0);
                if (page.Next != 0)
                {
                    await plan.StagePreviousAsync(page.Next, added, cancellationToken).ConfigureAwait(false);
                }

                insertedAt = childIndex + 1;
                parent.Cells.Insert(insertedAt, PlannedCell.ForChild(separator, added));
            }
            else
            {
                insertedAt = await PlanRebalanceAsync(plan, page, parent, childIndex, cancellationToken).ConfigureAwait(false);
            }

            page = parent;
        }
    }

    private async ValueTask PlanRootAsync(TreePlan plan, LoadedPage root, int size, int insertedAt, CancellationToken cancellationToken)
    {
        if (root.Level > 0 && root.Cells.Count == 1)
        {
            plan.StageCollapse(root.Cells[0].Child, root.Level - 1);
            return;
        }

        if (size <= limits.Capacity)
        {
            plan.Stage(root.Number, root.Level, root.Level, root.Cells, 0, 0);
            return;
        }

        bool atEnd = insertedAt == root.Cells.Count - 1;
        (List<PlannedCell> left, List<PlannedCell> right, ReadOnlyMemory<byte> separator) = Split(root.Cells, root.Level, atEnd);
        long leftPage = await plan.AllocateAsync(root.Level, cancellationToken).ConfigureAwait(false);
        long rightPage = await plan.AllocateAsync(root.Level, cancellationToken).ConfigureAwait(false);
        bool isLeaf = root.Level == 0;
        List<PlannedCell> children = [PlannedCell.ForChild(default, leftPage), PlannedCell.ForChild(separator, rightPage)];
        plan.Stage(root.Number, root.Level, root.Level + 1, children, 0, 0);
        plan.Stage(leftPage, root.Level, root.Level, left, isLeaf ? rightPage : 0, 0);
        plan.Stage(rightPage, root.Level, root.Level, right, 0, isLeaf ? leftPage : 0);
        plan.CountRootGrowth(root.Level);
    }

    /// <summary>Merges a page that is too empty with a sibling, or shares their cells evenly where they do not fit one page.</summary>
    /// <returns>Which of the parent's cells got another separator; -1 when one was taken out.</returns>
    private async ValueTask<int> PlanRebalanceAsync(TreePlan plan, LoadedPage page, LoadedPage parent, int childIndex, CancellationToken cancellationToken)
    {
        int leftIndex = Math.Max(childIndex - 1, 0);
        int rightIndex = leftIndex + 1;
        if (rightIndex >= parent.Cells.Count)
        {
            throw new CorruptStoreException(mapping.Path, parent.Number, "it is a branch with fewer than two children");
        }

        LoadedPage sibling = await plan.LoadAsync(
            parent.Cells[childIndex == leftIndex ? rightIndex : leftIndex].Child, page.Level, cancellationToken).ConfigureAwait(false);
        LoadedPage left = childIndex == leftIndex ? page : sibling;
        LoadedPage right = childIndex == leftIndex ? sibling : page;

        bool isOrdered = sibling.Cells.Count > 0
            && (page.Cells.Count == 0 || page.Level > 0 || left.Cells[^1].Key.Span.SequenceCompareTo(right.Cells[0].Key.Span) < 0);
        if (!isOrdered)
        {
            throw new CorruptStoreException(mapping.Path, sibling.Number, $"it is empty, or its keys are not apart from those of page {page.Number} beside it");
        }

        List<PlannedCell> cells = [.. left.Cells, .. right.Cells];
        if (page.Level > 0)
        {
            // The right page's first separator, minus infinity there, is the parent's separator here.
            PlannedCell first = right.Cells[0];
            cells[left.Cells.Count] = first with { Key = parent.Cells[rightIndex].Key };
        }

        if (LoadedPage.SizeOf(cells) <= limits.Capacity)
        {
            plan.Stage(left.Number, page.Level, page.Level, cells, right.Next, left.Previous);
            plan.StageFree(right.Number, page.Level);
            if (right.Next != 0)
            {
                await plan.StagePreviousAsync(right.Next, left.Number, cancellationToken).ConfigureAwait(false);
            }

            parent.Cells.RemoveAt(rightIndex);
            return -1;
        }

        (List<PlannedCell> leftCells, List<PlannedCell> rightCells, ReadOnlyMemory<byte> separator) = Split(cells, page.Level, atEnd: false);
        plan.Stage(left.Number, page.Level, page.Level, leftCells, left.Next, left.Previous);
        plan.Stage(right.Number, page.Level, page.Level, rightCells, right.Next, right.Previous);
        parent.Cells[rightIndex] = PlannedCell.ForChild(separator, right.Number);
        return rightIndex;
    }

    /// <summary>Divides cells between two pages.</summary>
    /// <param name="cells">More than fit one page, in order.</param>
    /// <param name="level">Level of the pages.</param>
    /// <param name="atEnd">
    /// The last cell was just added at the end of the level: keys come in order, so the left page stays full instead of half empty.
    /// </param>
    private (List<PlannedCell> Left, List<PlannedCell> Right, ReadOnlyMemory<byte> Separator) Split(List<PlannedCell> cells, int level, bool atEnd)
    {
        // A branch keeps two children, so that each has a sibling to merge with.
        int leastCells = level == 0 ? 1 : 2;
        int total = LoadedPage.SizeOf(cells);
        int at = 0;
        int best = int.MinValue;
        int size = 0;
        for (int i = 1; i < cells.Count; i++)
        {
            size += cells[i - 1].Footprint;
            int rightSize = total - size - (level == 0 ? 0 : cells[i].Key.Length);
            if (i < leastCells || cells.Count - i < leastCells || size > limits.Capacity || rightSize > limits.Capacity)
            {
                continue;
            }

            int smaller = Math.Min(size, rightSize);
            bool keepsLeftFull = atEnd && cells.Count - i == leastCells && size >= limits.MinimumFill;
            if (smaller > best || keepsLeftFull)
            {
                best = smaller;
                at = i;
            }
        }

        if (at == 0)
        {
            throw new InvalidOperationException($"{cells.Count} cells of {total} bytes do not divide between two pages of {limits.PageSize} bytes.");
        }

        List<PlannedCell> left = cells.GetRange(0, at);
        List<PlannedCell> right = cells.GetRange(at, cells.Count - at);
        if (level == 0)
        {
            return (left, right, ShortestSeparator(left[^1].Key, right[0].Key));
        }

        ReadOnlyMemory<byte> separator = right[0].Key;
        right[0] = right[0] with { Key = default };
        return (left, right, separator);
    }

    /// <summary>The shortest key that is greater than one key and not greater than the next.</summary>
    private static ReadOnlyMemory<byte> ShortestSeparator(ReadOnlyMemory<byte> last, ReadOnlyMemory<byte> first) =>
        first[..(last.Span.CommonPrefixLength(first.Span) + 1)];

    private bool IsLastOnLevel(int depth)
    {
        for (int i = 0; i < depth; i++)
        {
            if (!_path[i].IsLastChild)
            {
                return false;
            }
        }

        return true;
    }

    private void CountEntry(in TreeChange change, int keyLength, in PlannedCell? cell)
    {
        long entries = 0;
        long valueBytes = 0;
        long overflowPages = 0;
        if (change.Existed)
        {
            entries--;
            valueBytes -= LengthOf(change.OldPayload, change.OldIsOverflow, out long pages);
            overflowPages -= pages;
        }

        if (cell is { } added)
        {
            entries++;
            valueBytes += LengthOf(added.Payload.Span, added.IsOverflow, out long pages);
            overflowPages += pages;
        }

        Counts = Counts with
        {
            Entries = Counts.Entries + entries,
            KeyBytes = Counts.KeyBytes + (entries * keyLength),
            ValueBytes = Counts.ValueBytes + valueBytes,
            OverflowPages = Counts.OverflowPages + overflowPages,
        };
    }

    private bool IsReference(ReadOnlySpan<byte> payload) =>
        OverflowReference.TryRead(payload, out OverflowReference reference) && allocator.IsUsable(reference.FirstPage) && allocator.IsUsable(reference.LastPage);

    private long LengthOf(ReadOnlySpan<byte> payload, bool isOverflow, out long overflowPages)
    {
        overflowPages = 0;
        if (!isOverflow)
        {
            return payload.Length;
        }

        OverflowReference.TryRead(payload, out OverflowReference reference);
        overflowPages = limits.OverflowPages(reference.Length);
        return reference.Length;
    }

    private CorruptStoreException NotATreePage(long page) => CorruptStoreException.NotATreePage(mapping.Path, page);
}
