using System.IO.Hashing;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using StorageCache.KeyValueStore.Logging;
using StorageCache.KeyValueStore.Space;

namespace StorageCache.KeyValueStore.Checking;

/// <summary>One run of the check. The caller holds the writer lock.</summary>
internal sealed class StoreChecker(
    Mapping mapping, WriteAheadLog? log, LogReach reach, PageLimits limits, PageAllocator allocator, TreeCounts expected, IProgress<CheckProgress>? progress)
{
    private const int ProgressInterval = 256;

    private readonly PageUses _uses = new(allocator.PageCount);
    private readonly List<CheckProblem> _problems = [];
    private readonly Stack<PendingPage> _pending = new();
    private readonly List<(long Page, OverflowReference Value)> _values = [];
    private readonly OverflowReadAhead _readAhead = new(mapping, limits);
    private readonly byte[] _page = new byte[limits.PageSize];
    private readonly MapLayout _layout = new(limits.PageSize);
    private TreeCounts _found = new(expected.Height, 0, 0, 0, 0, 0, 0);
    private long _freePages;
    private long _problemCount;
    private long _checked;
    private long _previousLeaf;
    private long _previousLeafNext = -1;

    public async ValueTask<CheckReport> RunAsync(CancellationToken cancellationToken)
    {
        await CheckMetaAsync(cancellationToken).ConfigureAwait(false);
        _pending.Push(new PendingPage(MetaPage.RootPage, MetaPage.PageNumber, expected.Height - 1, [], null));
        while (_pending.TryPop(out PendingPage next))
        {
            await CheckTreePageAsync(next, cancellationToken).ConfigureAwait(false);
            foreach ((long page, OverflowReference value) in _values)
            {
                await CheckValueAsync(page, value, cancellationToken).ConfigureAwait(false);
            }

            _values.Clear();
        }

        if (_previousLeafNext > 0)
        {
            Report(_previousLeaf, $"it is the last leaf, but says that page {_previousLeafNext} is next");
        }

        await CheckMapsAsync(cancellationToken).ConfigureAwait(false);
        await CheckLogAsync(cancellationToken).ConfigureAwait(false);
        CheckCounts();
        progress?.Report(new CheckProgress(_checked, _uses.PageCount));
        return new CheckReport(_uses.PageCount, _found.Entries, _problemCount, _problems);
    }

    private async ValueTask CheckMetaAsync(CancellationToken cancellationToken)
    {
        if (!Claim(MetaPage.PageNumber, MetaPage.PageNumber, PageUse.Meta) || !await LoadAsync(MetaPage.PageNumber, cancellationToken).ConfigureAwait(false))
        {
            return;
        }

        if (!_page.AsSpan().StartsWith(MetaPage.Magic) || !MetaPage.HasChecksum(_page))
        {
            Report(MetaPage.PageNumber, "the meta page's magic or checksum is wrong");
        }
    }

    private async ValueTask CheckTreePageAsync(PendingPage pending, CancellationToken cancellationToken)
    {
        if (!Claim(pending.Page, pending.Parent, PageUse.Tree) || !await LoadAsync(pending.Page, cancellationToken).ConfigureAwait(false))
        {
            return;
        }

        TreePage page = new(_page);
        if (!page.IsPlausible)
        {
            Report(pending.Page, $"it is no tree page, but page {pending.Parent} leads to it");
            return;
        }

        if (page.Level != pending.Level)
        {
            Report(pending.Page, $"it is on level {page.Level}, where the tree has level {pending.Level}: the depth is not uniform");
            return;
        }

        if (!CheckCells(pending, page))
        {
            return;
        }

        if (page.Level == 0)
        {
            CheckLeaf(pending, page);
        }
        else
        {
            PushChildren(pending, page);
        }
    }

    /// <summary>KV-1 and KV-2: cells inside the page, apart from each other, in order, within the bounds; KV-4: the fill.</summary>
    private bool CheckCells(in PendingPage pending, TreePage page)
    {
        int footprint = 0;
        TreeCell previous = default;
        for (int i = 0; i < page.Count; i++)
        {
            if (!page.TryGetCell(i, out TreeCell cell))
            {
                Report(pending.Page, $"cell {i} lies outside the page");
                return false;
            }

            bool isMinusInfinity = page.Level > 0 && i == 0;
            if (isMinusInfinity && !cell.Key.IsEmpty)
            {
                Report(pending.Page, "its first separator is not empty");
            }

            if (i > 0 && previous.Key.SequenceCompareTo(cell.Key) >= 0)
            {
                Report(pending.Page, $"the keys of cells {i - 1} and {i} are not in order");
            }

            if (!isMinusInfinity && cell.Key.SequenceCompareTo(pending.Lower) < 0)
            {
                Report(pending.Page, $"the key of cell {i} is less than the separator in page {pending.Parent}");
            }

            if (pending.Upper is not null && cell.Key.SequenceCompareTo(pending.Upper) >= 0)
            {
                Report(pending.Page, $"the key of cell {i} is not less than the next separator in page {pending.Parent}");
            }

            footprint += cell.Footprint;
            previous = cell;
        }

        if (!page.IsConsistent)
        {
            Report(pending.Page, "its cells overlap, or do not add up with its dead bytes");
        }

        bool mayBeEmptier = pending.Page == MetaPage.RootPage || pending.Upper is null;
        if (!mayBeEmptier && footprint < limits.MinimumFill)
        {
            Report(pending.Page, $"it holds {footprint} bytes, less than the {limits.MinimumFill} that a page must hold");
        }

        int leastCells = page.Level > 0 ? 2 : pending.Page == MetaPage.RootPage ? 0 : 1;
        if (page.Count < leastCells)
        {
            Report(pending.Page, $"it has {page.Count} cells, less than {leastCells}");
        }

        return true;
    }

    /// <summary>KV-3: the links; and what the leaf refers to.</summary>
    private void CheckLeaf(in PendingPage pending, TreePage page)
    {
        if (_previousLeafNext >= 0 && _previousLeafNext != pending.Page)
        {
            Report(_previousLeaf, $"it says that leaf {_previousLeafNext} is next; it is {pending.Page}");
        }

        if (page.Previous != _previousLeaf)
        {
            Report(pending.Page, $"it says that leaf {page.Previous} comes before it; it is {_previousLeaf}");
        }

        _previousLeaf = pending.Page;
        _previousLeafNext = page.Next;
        long keyBytes = 0;
        long valueBytes = 0;
        for (int i = 0; i < page.Count; i++)
        {
            page.TryGetCell(i, out TreeCell cell);
            keyBytes += cell.Key.Length;
            if (!cell.IsOverflow)
            {
                valueBytes += cell.Payload.Length;
            }
            else if (OverflowReference.TryRead(cell.Payload, out OverflowReference value))
            {
                valueBytes += value.Length;
                _values.Add((pending.Page, value));
            }
            else
            {
                Report(pending.Page, $"the overflow reference of cell {i} is impossible");
            }
        }

        _found = _found with
        {
            LeafPages = _found.LeafPages + 1,
            Entries = _found.Entries + page.Count,
            KeyBytes = _found.KeyBytes + keyBytes,
            ValueBytes = _found.ValueBytes + valueBytes,
        };
    }

    private void PushChildren(in PendingPage pending, TreePage page)
    {
        _found = _found with { BranchPages = _found.BranchPages + 1 };
        byte[]? upper = pending.Upper;
        for (int i = page.Count - 1; i >= 0; i--)
        {
            page.TryGetCell(i, out TreeCell cell);
            byte[] lower = i == 0 ? pending.Lower : cell.Key.ToArray();
            _pending.Push(new PendingPage(cell.Child, pending.Page, pending.Level - 1, lower, upper));
            upper = lower;
        }
    }

    /// <summary>KV-8: the chain of a value is complete, belongs to it alone and has its hash.</summary>
    private async ValueTask CheckValueAsync(long leaf, OverflowReference value, CancellationToken cancellationToken)
    {
        XxHash3 hash = new();
        long page = value.FirstPage;
        long from = leaf;
        int done = 0;
        for (int index = 0; done < value.Length; index++)
        {
            if (!Claim(page, from, PageUse.Overflow))
            {
                return;
            }

            _readAhead.Advance(value, index, page);
            if (!await LoadAsync(page, cancellationToken).ConfigureAwait(false))
            {
                return;
            }

            int length = Math.Min(value.Length - done, limits.OverflowPayload);
            if (!PageHeader.IsPiece(_page, value.FirstPage, index, length))
            {
                Report(page, $"it is not piece {index} of the value at page {value.FirstPage} that leaf {leaf} refers to");
                return;
            }

            hash.Append(_page.AsSpan(PageHeader.Size, length));
            done += length;
            _found = _found with { OverflowPages = _found.OverflowPages + 1 };
            from = page;
            page = PageHeader.Next(_page);
            if (value.IsRun && done < value.Length && page != from + 1)
            {
                Report(from, $"page {page} comes next, but the value at page {value.FirstPage} is one of neighbouring pages");
                return;
            }
        }

        if (hash.GetCurrentHashAsUInt64() != value.Hash)
        {
            Report(value.FirstPage, $"the value that begins here, of leaf {leaf}, does not have its hash");
        }
    }

    /// <summary>KV-9 and KV-10: a page is in use by its map exactly if something leads to it; that no page has two uses was seen when they were claimed.</summary>
    private async ValueTask CheckMapsAsync(CancellationToken cancellationToken)
    {
        for (int group = 0; group < _layout.GroupCount(_uses.PageCount); group++)
        {
            long first = _layout.FirstPageOf(group);
            long map = _layout.MapPageOf(group);
            if (!Claim(map, MetaPage.PageNumber, PageUse.Map) || !await LoadAsync(map, cancellationToken).ConfigureAwait(false))
            {
                continue;
            }

            if (!MapPage.IsMapOf(_page, first))
            {
                Report(map, $"it is not the map of the pages from {first} on");
                continue;
            }

            CheckMap(first);
        }
    }

    private void CheckMap(long first)
    {
        for (int i = 0; i < _layout.GroupPages; i++)
        {
            long page = first + i;
            bool isUsed = MapPage.IsUsed(_page, i);
            if (page >= _uses.PageCount)
            {
                if (isUsed)
                {
                    Report(page, "it is in use by its map, but lies behind the end of the file");
                }
            }
            else if (isUsed && _uses[page] == PageUse.None)
            {
                Report(page, "nothing leads to it, but it is in use by its map");
            }
            else if (!isUsed && _uses[page] != PageUse.None)
            {
                Report(page, $"it is free by its map, but is used as {_uses[page]}");
            }
            else if (!isUsed)
            {
                _freePages++;
            }
        }
    }

    /// <summary>KV-15: what would be done again after a crash is there.</summary>
    private async ValueTask CheckLogAsync(CancellationToken cancellationToken)
    {
        if (log is not null && (await log.VerifyAsync(progress: null, cancellationToken).ConfigureAwait(false)).Problem is { } problem)
        {
            Report(MetaPage.PageNumber, problem.Message.TrimEnd('.'));
        }
    }

    private void CheckCounts()
    {
        Compare("entries", expected.Entries, _found.Entries);
        Compare("bytes of keys", expected.KeyBytes, _found.KeyBytes);
        Compare("bytes of values", expected.ValueBytes, _found.ValueBytes);
        Compare("leaf pages", expected.LeafPages, _found.LeafPages);
        Compare("branch pages", expected.BranchPages, _found.BranchPages);
        Compare("overflow pages", expected.OverflowPages, _found.OverflowPages);
        Compare("free pages", allocator.FreePages, _freePages);
    }

    private void Compare(string what, long counted, long found)
    {
        if (counted != found)
        {
            Report(MetaPage.PageNumber, $"the store counts {counted} {what}; there are {found}");
        }
    }

    /// <summary>Notes a page's use. False, and a problem, when it is outside the file or has a use already.</summary>
    private bool Claim(long page, long from, PageUse use)
    {
        if (page < 0 || page >= _uses.PageCount || (page == MetaPage.PageNumber && use != PageUse.Meta))
        {
            Report(from, $"it leads to page {page}, which is no page it may lead to");
            return false;
        }

        if (_uses[page] != PageUse.None)
        {
            Report(page, $"it is used twice, as {_uses[page]} and as {use} (from page {from})");
            return false;
        }

        _uses[page] = use;
        return true;
    }

    private async ValueTask<bool> LoadAsync(long page, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (++_checked % ProgressInterval == 0)
        {
            progress?.Report(new CheckProgress(_checked, _uses.PageCount));
        }

        try
        {
            using PageReadLease lease = await mapping.ReadAsync(page, cancellationToken).ConfigureAwait(false);
            lease.Span.CopyTo(_page);
        }
        catch (PageCacheException exception) when (exception is PageReadException or MappingFailedException)
        {
            Report(page, $"it cannot be read ({exception.Message})");
            return false;
        }

        if (page == MetaPage.PageNumber)
        {
            return true;
        }

        if (!PageChecksum.IsValid(_page, page))
        {
            Report(page, PageChecksum.Problem);
            return false;
        }

        if (reach.ProblemOf(_page) is { } problem)
        {
            Report(page, problem);
        }

        return true;
    }

    private void Report(long page, string message)
    {
        _problemCount++;
        if (_problems.Count < CheckReport.MaximumProblems)
        {
            _problems.Add(new CheckProblem(page, message));
        }
    }
}
