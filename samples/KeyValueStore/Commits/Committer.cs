using System.Buffers;
using System.Diagnostics;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using StorageCache.KeyValueStore.Logging;
using StorageCache.KeyValueStore.Space;

namespace StorageCache.KeyValueStore.Commits;

/// <summary>Makes change sets happen: in the log, and then in the cache. Only the holder of the writer lock may call this.</summary>
/// <remarks>
/// <para>The order is what makes a commit happen wholly or not at all (KV-15):</para>
/// <list type="number">
/// <item>everything that can fail: the record is made, room for it in the log reserved, and every page leased, from the root down (KV-7);</item>
/// <item>the record is appended, which cannot fail, and says which LSN the commit has;</item>
/// <item>the pages get their new bytes and are marked dirty with that LSN, so that the cache does not write them before the log is durable up to there.</item>
/// </list>
/// <para>
/// The first change of a page after a redo point is logged as the whole page (KV-16): redo never needs what the device has of it, so a write that was
/// torn by a power loss does no harm.
/// </para>
/// </remarks>
internal sealed class Committer(Mapping mapping, WriteAheadLog log, PageAllocator allocator, PageLimits limits, ulong imageEpoch)
{
    private readonly MapLayout _layout = new(limits.PageSize);
    private readonly ArrayBufferWriter<byte> _record = new(limits.PageSize);
    private readonly List<ChangedPage> _changed = [];

    /// <summary>Groups whose map page exists.</summary>
    private int _groups = new MapLayout(limits.PageSize).GroupCount(allocator.PageCount);

    /// <summary>Pages whose last change has this LSN or a lower one are logged whole: the latest redo point, be it durable or not.</summary>
    public ulong ImageEpoch { get; set; } = imageEpoch;

    /// <summary>What stopped a commit half way; null unless that has happened, which takes a bug.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Commits a change set, whose copies are returned then. On an exception nothing has happened; the caller abandons the set.</summary>
    /// <returns>The commit's LSN; 0 if there was nothing to change.</returns>
    public async ValueTask<ulong> CommitAsync(ChangeSet changes, CancellationToken cancellationToken)
    {
        await MapAsync(changes, cancellationToken).ConfigureAwait(false);
        StoreContents contents = new(allocator.End, changes.Counts);
        if (!WriteRecord(changes, contents))
        {
            changes.Abandon();
            return 0;
        }

        await log.ReserveAsync(WriteAheadLog.SizeOf(_record.WrittenCount), cancellationToken).ConfigureAwait(false);
        PageWriteLease[] leases = ArrayPool<PageWriteLease>.Shared.Rent(_changed.Count);
        int held = 0;
        try
        {
            for (; held < _changed.Count; held++)
            {
                ChangedPage page = _changed[held];
                leases[held] = page.IsNew
                    ? await mapping.WriteNewAsync(page.Page, cancellationToken).ConfigureAwait(false)
                    : await mapping.WriteAsync(page.Page, cancellationToken).ConfigureAwait(false);
            }

            return Apply(changes, leases);
        }
        finally
        {
            for (int i = 0; i < held; i++)
            {
                leases[i].Dispose();
            }

            ArrayPool<PageWriteLease>.Shared.Return(leases, clearArray: true);
        }
    }

    /// <summary>Appends the record, and changes the pages, all of which are held.</summary>
    private ulong Apply(ChangeSet changes, PageWriteLease[] leases)
    {
        ulong lsn = log.Append((byte)RecordKind.Commit, _record.WrittenSpan);
        try
        {
            for (int i = 0; i < _changed.Count; i++)
            {
                ChangedPage page = _changed[i];
                if (page is { IsLogged: true, After: { } after })
                {
                    leases[i].Replace(after, lsn, page.Level == ChangedPage.MapLevel ? PageTrust.Bytes : PageTrust.Cells);
                }
            }

            Account(changes, lsn);
            changes.Committed?.Invoke(lsn);
        }
        catch (Exception exception)
        {
            Failure = exception;
            throw;
        }
        finally
        {
            log.Publish();
        }

        return lsn;
    }

    private void Account(ChangeSet changes, ulong lsn)
    {
        long added = 0;
        foreach (PageRun run in changes.Added)
        {
            added += run.Count;
        }

        int groups = _layout.GroupCount(allocator.End);
        added += groups - _groups;
        _groups = groups;
        List<FreedPages> freed = [];
        if (changes.FreedTreePages.Count > 0)
        {
            freed.Add(new FreedPages(lsn, 0, [.. changes.FreedTreePages]));
        }

        foreach (FreedPages value in changes.FreedValues)
        {
            freed.Add(value with { Lsn = lsn });
        }

        allocator.Commit(added, freed);
        foreach (PageRun run in changes.Dropped)
        {
            allocator.Return(run);
        }

        changes.Release();
    }

    /// <summary>Makes the record, and notes the pages to be leased in the order in which they are. False if no page is different.</summary>
    private bool WriteRecord(ChangeSet changes, in StoreContents contents)
    {
        _changed.Clear();
        _record.ResetWrittenCount();
        contents.Write(_record.GetSpan(StoreContents.Size));
        _record.Advance(StoreContents.Size);
        foreach (ChangedPage page in changes.Pages)
        {
            page.IsLogged = false;
            if (page is { IsFreed: false, After: { } after })
            {
                ReadOnlySpan<byte> before = page.Before;
                bool isSame = !page.IsNew && before[PageHeader.LoggedOffset..].SequenceEqual(after.AsSpan(PageHeader.LoggedOffset));
                bool isImage = page.IsNew || PageHeader.Lsn(before) <= ImageEpoch;
                page.IsLogged = !isSame && PageEntry.TryWrite(_record, page.Page, isImage ? default : before, after);
            }

            // A page that is freed keeps its bytes, and so does a branch that was changed and ends as it began, with other pages below it for all
            // that. A reader who comes through either has to learn that what he saw above it is old (KV-5).
            if (page.IsLogged || page.IsFreed || page is { Level: > 0, After: not null })
            {
                _changed.Add(page);
            }
        }

        _changed.Sort(static (one, other) => other.Level.CompareTo(one.Level));
        return _record.WrittenCount > StoreContents.Size;
    }

    /// <summary>Changes the bits of all pages that come into use or go out of it, and gives the groups that the file has reached their map pages.</summary>
    private async ValueTask MapAsync(ChangeSet changes, CancellationToken cancellationToken)
    {
        for (int group = _groups; group < _layout.GroupCount(allocator.End); group++)
        {
            long mapPage = _layout.MapPageOf(group);
            byte[] map = changes.Edit(changes.AddMapPage(mapPage));
            MapPage.Initialize(map, _layout.FirstPageOf(group));
            MapPage.SetUsed(map, (int)(mapPage - _layout.FirstPageOf(group)), true);
        }

        foreach (PageRun run in changes.Added)
        {
            await MapAsync(changes, run, isUsed: true, cancellationToken).ConfigureAwait(false);
        }

        foreach (PageRun run in changes.FreedTreePages)
        {
            await MapAsync(changes, run, isUsed: false, cancellationToken).ConfigureAwait(false);
        }

        foreach (FreedPages value in changes.FreedValues)
        {
            foreach (PageRun run in value.Runs)
            {
                await MapAsync(changes, run, isUsed: false, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async ValueTask MapAsync(ChangeSet changes, PageRun run, bool isUsed, CancellationToken cancellationToken)
    {
        int group = _layout.GroupOf(run.First);
        long first = _layout.FirstPageOf(group);
        Debug.Assert(_layout.GroupOf(run.First + run.Count - 1) == group, "a run has no map page in it");
        ChangedPage page = await changes.LoadMapPageAsync(_layout.MapPageOf(group), first, cancellationToken).ConfigureAwait(false);
        byte[] map = changes.Edit(page);
        for (int i = 0; i < run.Count; i++)
        {
            int index = (int)(run.First - first) + i;
            if (MapPage.IsUsed(map, index) == isUsed)
            {
                throw new CorruptStoreException(mapping.Path, page.Page, $"page {run.First + i} is {(isUsed ? "in use already" : "not in use")} by it");
            }

            MapPage.SetUsed(map, index, isUsed);
        }
    }
}
