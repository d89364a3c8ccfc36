using StorageCache.KeyValueStore.Commits;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using StorageCache.KeyValueStore.Space;

namespace StorageCache.KeyValueStore.Tree;

/// <summary>Inserts, replaces and removes keys in a change set. Only the holder of the writer lock may call this.</summary>
/// <remarks>
/// A change that fits its leaf is made in the leaf's copy. Any other is planned from the leaf up to the first page that neither overflows nor gets
/// too empty (<see cref="TreePlan"/>). After an exception the change set is to be abandoned.
/// </remarks>
internal sealed class TreeWriter(Mapping mapping, PageAllocator allocator, PageLimits limits, PageVerifier verifier)
{
    private readonly List<PathStep> _path = [];

    /// <summary>Puts a key with its payload, in place of the one it has if it has one.</summary>
    public ValueTask<TreeChange> UpsertAsync(
        ChangeSet changes, ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> payload, bool isOverflow, CancellationToken cancellationToken) =>
        ChangeAsync(changes, key, new PlannedCell(key, payload, isOverflow), cancellationToken);

    /// <summary>Removes a key.</summary>
    public ValueTask<TreeChange> RemoveAsync(ChangeSet changes, ReadOnlyMemory<byte> key, CancellationToken cancellationToken) =>
        ChangeAsync(changes, key, null, cancellationToken);

    private async ValueTask<TreeChange> ChangeAsync(ChangeSet changes, ReadOnlyMemory<byte> key, PlannedCell? cell, CancellationToken cancellationToken)
    {
        await FindPathAsync(changes, key, cancellationToken).ConfigureAwait(false);
        ChangedPage page = await changes.LoadTreePageAsync(_path[^1].Page, cancellationToken).ConfigureAwait(false);
        if (TryChangeInPlace(changes, page, key.Span, cell, out TreeChange change, out int index))
        {
            return change;
        }

        LoadedPage leaf = LoadedPage.TryLoad(page.Page, page.Current) ?? throw NotATreePage(page.Page);
        if (change.Existed)
        {
            leaf.Cells.RemoveAt(index);
        }

        if (cell is { } planned)
        {
            leaf.Cells.Insert(index, planned);
        }

        TreePlan plan = new(mapping, changes, allocator);
        await PlanAsync(plan, leaf, cell is null ? -1 : index, cancellationToken).ConfigureAwait(false);
        changes.Counts = changes.Counts with
        {
            Height = changes.Counts.Height + plan.Height,
            LeafPages = changes.Counts.LeafPages + plan.LeafPages,
            BranchPages = changes.Counts.BranchPages + plan.BranchPages,
        };
        CountEntry(changes, change, key.Length, cell);
        return change;
    }

    /// <summary>Makes a change in the copy of its leaf, unless the leaf would overflow or get too empty; then nothing has changed.</summary>
    /// <param name="changes">The change set.</param>
    /// <param name="leaf">The leaf.</param>
    /// <param name="key">The key.</param>
    /// <param name="cell">What it gets; null to remove it.</param>
    /// <param name="change">What there was.</param>
    /// <param name="index">Where the key is, or would be.</param>
    private bool TryChangeInPlace(
        ChangeSet changes, ChangedPage leaf, ReadOnlySpan<byte> key, in PlannedCell? cell, out TreeChange change, out int index)
    {
        TreePage page = new(leaf.Current);
        if (!page.IsPlausible || page.Level != 0 || leaf.IsFreed || !page.TrySearch(key, out index, out bool found))
        {
            throw NotATreePage(leaf.Page);
        }

        TreeCell old = default;
        if (found)
        {
            page.TryGetCell(index, out old);
        }

        if (old.IsOverflow && !IsReference(old.Payload))
        {
            throw new CorruptStoreException(mapping.Path, leaf.Page, $"where it says that the value of cell {index} is, there can be none");
        }

        change = new TreeChange(found, old.Payload.Length, old.IsOverflow ? OverflowReference.TryRead(old.Payload, out OverflowReference value) ? value : default : null);
        if (!found && cell is null)
        {
            return true;
        }

        int oldSize = new TreePageEditor(leaf.Current).Used;
        int newSize = oldSize - (found ? old.Footprint : 0) + (cell?.Footprint ?? 0);
        bool isRoot = _path.Count == 1;
        if (newSize > limits.Capacity || (!isRoot && newSize < limits.MinimumFill && newSize < oldSize))
        {
            return false;
        }

        TreePageEditor editor = new(changes.Edit(leaf));
        if (found)
        {
            editor.RemoveAt(index);
        }

        if (cell is { } placed)
        {
            editor.Insert(index, placed.Key.Span, placed.Payload.Span, placed.IsOverflow);
        }

        CountEntry(changes, change, key.Length, cell);
        return true;
    }

    /// <summary>Finds the way from the root to the key's leaf, without the leaf itself. Nobody else changes the tree, so one lease at a time is enough.</summary>
    private async ValueTask FindPathAsync(ChangeSet changes, ReadOnlyMemory<byte> key, CancellationToken cancellationToken)
    {
        _path.Clear();
        SeekTarget target = new(SeekKind.Containing, key);
        long number = MetaPage.RootPage;
        for (int level = changes.Counts.Height - 1; level > 0; level--)
        {
            if (changes.Find(number) is { } changed)
            {
                number = Step(target, number, level, changed.Current);
            }
            else
            {
                using PageReadLease lease = await mapping.ReadAsync(number, cancellationToken).ConfigureAwait(false);
                verifier.VerifyTreePage(lease);
                number = Step(target, number, level, lease.Span);
            }
        }

        _path.Add(new PathStep(number, 0, true));
    }

    /// <summary>Notes one page of the way. Returns the next one.</summary>
    private long Step(in SeekTarget target, long number, int level, ReadOnlySpan<byte> bytes)
    {
        TreePage page = new(bytes);
        if (!page.IsPlausible || page.Level != level || !page.TryFindChild(target, out int index, out long child) || !allocator.IsUsable(child))
        {
            throw NotATreePage(number);
        }

        _path.Add(new PathStep(number, index, index == page.Count - 1));
        return child;
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
                plan.Stage(page.Number, page.Level, page.Cells, page.Next, page.Previous);
                return;
            }

            LoadedPage parent = await plan.LoadAsync(_path[depth - 1].Page, page.Level + 1, cancellationToken).ConfigureAwait(false);
            int childIndex = _path[depth - 1].Index;
            if (size > limits.Capacity)
            {
                bool atEnd = insertedAt == page.Cells.Count - 1 && IsLastOnLevel(depth);
                (List<PlannedCell> left, List<PlannedCell> right, ReadOnlyMemory<byte> separator) = Split(page.Cells, page.Level, atEnd);
                long added = plan.Allocate(page.Level);
                bool isLeaf = page.Level == 0;
                plan.Stage(page.Number, page.Level, left, isLeaf ? added : 0, page.Previous);
                plan.Stage(added, page.Level, right, page.Next, isLeaf ? page.Number : 0);
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
            plan.Stage(root.Number, root.Level, root.Cells, 0, 0);
            return;
        }

        bool atEnd = insertedAt == root.Cells.Count - 1;
        (List<PlannedCell> left, List<PlannedCell> right, ReadOnlyMemory<byte> separator) = Split(root.Cells, root.Level, atEnd);
        long leftPage = plan.Allocate(root.Level);
        long rightPage = plan.Allocate(root.Level);
        bool isLeaf = root.Level == 0;
        List<PlannedCell> children = [PlannedCell.ForChild(default, leftPage), PlannedCell.ForChild(separator, rightPage)];
        plan.Stage(root.Number, root.Level + 1, children, 0, 0);
        plan.Stage(leftPage, root.Level, left, isLeaf ? rightPage : 0, 0);
        plan.Stage(rightPage, root.Level, right, 0, isLeaf ? leftPage : 0);
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
            plan.Stage(left.Number, page.Level, cells, right.Next, left.Previous);
            plan.StageFree(right.Number, page.Level);
            if (right.Next != 0)
            {
                await plan.StagePreviousAsync(right.Next, left.Number, cancellationToken).ConfigureAwait(false);
            }

            parent.Cells.RemoveAt(rightIndex);
            return -1;
        }

        (List<PlannedCell> leftCells, List<PlannedCell> rightCells, ReadOnlyMemory<byte> separator) = Split(cells, page.Level, atEnd: false);
        plan.Stage(left.Number, page.Level, leftCells, left.Next, left.Previous);
        plan.Stage(right.Number, page.Level, rightCells, right.Next, right.Previous);
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

    private void CountEntry(ChangeSet changes, in TreeChange change, int keyLength, in PlannedCell? cell)
    {
        long entries = 0;
        long valueBytes = 0;
        long overflowPages = 0;
        if (change.Existed)
        {
            entries--;
            valueBytes -= change.OldValue?.Length ?? change.OldLength;
            overflowPages -= change.OldValue is { } old ? limits.OverflowPages(old.Length) : 0;
        }

        if (cell is { } added)
        {
            OverflowReference value = default;
            bool isOverflow = added.IsOverflow && OverflowReference.TryRead(added.Payload.Span, out value);
            entries++;
            valueBytes += isOverflow ? value.Length : added.Payload.Length;
            overflowPages += isOverflow ? limits.OverflowPages(value.Length) : 0;
        }

        changes.Counts = changes.Counts with
        {
            Entries = changes.Counts.Entries + entries,
            KeyBytes = changes.Counts.KeyBytes + (entries * keyLength),
            ValueBytes = changes.Counts.ValueBytes + valueBytes,
            OverflowPages = changes.Counts.OverflowPages + overflowPages,
        };
    }

    private bool IsReference(ReadOnlySpan<byte> payload) =>
        OverflowReference.TryRead(payload, out OverflowReference reference)
        && allocator.IsUsable(reference.FirstPage)
        && (!reference.IsRun || allocator.IsUsable(reference.FirstPage + limits.OverflowPages(reference.Length) - 1));

    private CorruptStoreException NotATreePage(long page) => CorruptStoreException.NotATreePage(mapping.Path, page);
}
