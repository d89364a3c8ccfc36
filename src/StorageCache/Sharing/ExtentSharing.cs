using System.Diagnostics;
using Nito.AsyncEx;
using StorageCache.IO;

namespace StorageCache.Sharing;

/// <summary>
/// Finds out which pages of a file that has just been opened other open files have as well, from the extents that the file system
/// reports, and confirms it before anybody relies on it. Thread-safe; one file at a time.
/// </summary>
/// <remarks>
/// What is recorded is that two pages are equal, not where they lie: blocks may be moved afterwards by whoever likes. Why what is
/// confirmed is so at all, though blocks may be moved while they are asked for, is in <c>docs/sharing.md</c> (SH-1).
/// </remarks>
internal sealed class ExtentSharing
{
    /// <summary>Files whose extents are asked for only to see whether they have some in common with a file that is opened.</summary>
    private const int AskedInVainAtMost = 64;

    /// <summary>How often two files are asked whether they agree, if asking takes long.</summary>
    private const int AttemptsAtMost = 3;

    /// <summary>The part of the memory limit that the map of one file may take.</summary>
    private const int LimitPerMap = 8;

    /// <summary>How long a truncation or close of another file is waited for.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(250);

    /// <summary>What takes longer is asked for once more: the shorter, the less can have been moved to and fro meanwhile.</summary>
    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(1);

    private readonly CacheCore _core;
    private readonly AsyncLock _joining = new();
    private readonly ExtentHints _hints;
    private bool _isClosed;

    public ExtentSharing(CacheCore core)
    {
        _core = core;
        _hints = new ExtentHints(core.Options.MemoryLimit);
    }

    /// <summary>Finds out with whom a mapping has pages in common. To be called on the cache's own thread, once for each.</summary>
    /// <param name="mapping">The mapping; just opened.</param>
    /// <param name="likely">Another that is likely to have some; null if nobody knows.</param>
    /// <param name="cancellationToken">Stops it; what has been found by then counts.</param>
    public async Task JoinAsync(Mapping mapping, Mapping? likely, CancellationToken cancellationToken)
    {
        if (mapping.Sharing is not { SharesExtents: true })
        {
            return;
        }

        using (await _joining.LockAsync(cancellationToken).ConfigureAwait(true))
        {
            if (_isClosed)
            {
                return;
            }

            try
            {
                using (await mapping.EnterAsync(cancellationToken).ConfigureAwait(true))
                {
                    if (mapping.State != MappingState.Open)
                    {
                        return;
                    }

                    await JoinOthersAsync(mapping, likely, cancellationToken).ConfigureAwait(true);
                }
            }
            catch (IOException)
            {
                // A file whose extents cannot be had shares nothing; whether it can be read, reading will say.
                _core.Protection.Counters.Refused(ProtectionRefusal.Unconfirmed);
            }
        }
    }

    /// <summary>Forgets a mapping that is closed.</summary>
    public void Leave(Mapping mapping)
    {
        if (mapping.Sharing is { SharesExtents: true } sharing)
        {
            if (!Volatile.Read(ref _isClosed))
            {
                _hints.Remove(mapping);
            }

            ReturnRoom(sharing.Replace(null));
            sharing.LeaveOrigins();
        }
    }

    /// <summary>Ends it: the cache is disposed of. Waits for the mapping that is at it.</summary>
    public async Task CloseAsync()
    {
        using (await _joining.LockAsync().ConfigureAwait(true))
        {
            if (!_isClosed)
            {
                _isClosed = true;
                _hints.Dispose();
            }
        }
    }

    private async Task JoinOthersAsync(Mapping mapping, Mapping? likely, CancellationToken cancellationToken)
    {
        Extent[] shared = Array.FindAll(await AskAsync(mapping, cancellationToken).ConfigureAwait(true), extent => extent.IsShared);
        if (shared.Length == 0)
        {
            return;
        }

        if (!MayHaveMap(mapping))
        {
            return;
        }

        RunList found = new([]);
        long wanted = shared.Sum(extent => extent.Length) >> _core.PageShift;
        int asked = 0;
        using DirtRecord dirt = new(mapping);
        foreach (Mapping other in Others(mapping, likely))
        {
            if (found.Pages >= wanted)
            {
                break;
            }

            try
            {
                ExtentHint? hint = _hints.Get(other);
                if ((hint is null || hint.Writes != other.WritesEnded) && asked++ < AskedInVainAtMost)
                {
                    // Whether or not there is room to keep it.
                    hint = new ExtentHint(await AskAsync(other, cancellationToken).ConfigureAwait(true), other.WritesEnded);
                }

                if (hint is not null && CommonPages.Of(hint.Extents, shared, _core.PageShift).Count > 0)
                {
                    await JoinOneAsync(other, mapping, dirt.Pages.Pages, found, cancellationToken).ConfigureAwait(true);
                }
            }
            catch (IOException)
            {
                // One that cannot be asked is passed over; the next may have the same pages.
                _core.Protection.Counters.Refused(ProtectionRefusal.Unconfirmed);
            }
        }

        if (found.Count > 0 && TryMakeMap(found, dirt.Pages) is { } map)
        {
            ReturnRoom(dirt.EndWith(map));
        }
    }

    /// <summary>Finds the pages that a mapping has in common with another, and has both know them by the same name.</summary>
    /// <param name="other">The other one, in use.</param>
    /// <param name="mapping">The one that was just opened.</param>
    /// <param name="pagesHere">Pages of it whose dirt is recorded; later ones do not take part.</param>
    /// <param name="found">Runs of it that are known already; gains those that are found.</param>
    /// <param name="cancellationToken">Stops it.</param>
    private async Task JoinOneAsync(
        Mapping other, Mapping mapping, long pagesHere, RunList found, CancellationToken cancellationToken)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(s_patience);
        IDisposable entered;
        try
        {
            entered = await other.EnterAsync(patience.Token).ConfigureAwait(true);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // It is being cut or closed, and that may wait for its users.
            _core.Protection.Counters.Refused(ProtectionRefusal.Closing);
            return;
        }

        using (entered)
        {
            if (other.State != MappingState.Open || !MayHaveMap(other))
            {
                return;
            }

            using DirtRecord dirt = new(other);
            List<CommonPages> common = await ConfirmAsync(other, mapping, cancellationToken).ConfigureAwait(true);
            long end = Math.Min(other.Length >> _core.PageShift, dirt.Pages.Pages);
            long endHere = Math.Min(mapping.Length >> _core.PageShift, pagesHere);
            common = [.. common.Select(pages => pages.Before(end, endHere)).Where(pages => pages.Count > 0 && MayBeEqual(mapping, pages))];
            RunList named = RunNaming.NameAll(other, common);
            if (common.Count > 0 && TryMakeMap(named, dirt.Pages) is { } map)
            {
                ReturnRoom(dirt.EndWith(map));
                other.Sharing!.IsOriginOf(named.Select(run => run.Identity).Where(identity => identity.Origin == other));
                RunNaming.AddRuns(common, new RunList(map.LiveRuns()), found);
            }
        }
    }

    /// <summary>
    /// Asks both files twice, in turns, and takes what all four answers agree on: blocks that both have had at one moment (SH-1). What was
    /// heard of either before, by which it was chosen, is too old to count.
    /// </summary>
    private async Task<List<CommonPages>> ConfirmAsync(Mapping other, Mapping mapping, CancellationToken cancellationToken)
    {
        for (int attempt = 0; attempt < AttemptsAtMost; attempt++)
        {
            long began = _core.Options.Threads.Clock.GetTimestamp();
            Extent[] before = await AskAsync(mapping, cancellationToken).ConfigureAwait(true);
            Extent[] others = await AskAsync(other, cancellationToken).ConfigureAwait(true);
            Extent[] after = await AskAsync(mapping, cancellationToken).ConfigureAwait(true);
            Extent[] othersAfter = await AskAsync(other, cancellationToken).ConfigureAwait(true);
            if (_core.Options.Threads.Clock.GetElapsedTime(began) <= s_window)
            {
                return CommonPages.Of(CommonPages.Agreed(others, othersAfter), CommonPages.Agreed(before, after), _core.PageShift);
            }
        }

        _core.Protection.Counters.Refused(ProtectionRefusal.Unconfirmed);
        return [];
    }

    /// <summary>Whether a map of a file is worth its memory, a bit for each page: of a file that is mostly holes it may be more than there is.</summary>
    private bool MayHaveMap(Mapping mapping)
    {
        bool fits = PageSet.BytesFor(mapping.PageCount) <= _core.Budget.Limit / LimitPerMap;
        if (!fits)
        {
            _core.Protection.Counters.Refused(ProtectionRefusal.NoRoom);
        }

        return fits;
    }

    /// <summary>A map, charged to the memory limit; null if it has no room for it.</summary>
    private ExtentMap? TryMakeMap(RunList runs, PageSet isPrivate)
    {
        long bytes = ExtentMap.BytesFor(runs.Count, isPrivate.Pages);
        if (_core.Sharing.TryActivate(_core.Sharing.ByExtent) && _core.TryTakeRoom(bytes))
        {
            return new ExtentMap([.. runs], isPrivate, bytes);
        }

        _core.Protection.Counters.Refused(ProtectionRefusal.NoRoom);
        return null;
    }

    private void ReturnRoom(ExtentMap? map)
    {
        if (map is not null)
        {
            _core.Frames.ReturnRoom(map.Bytes);
            _core.FrameQueue.Pump();
        }
    }

    /// <summary>The other mappings that may have pages in common with one, the likeliest first.</summary>
    private List<Mapping> Others(Mapping mapping, Mapping? likely)
    {
        List<Mapping> others = [];
        foreach (Mapping other in _core.OpenMappings().Where(other => other != mapping && SpaceOf(other) == SpaceOf(mapping)))
        {
            if (other.Sharing is not { SharesExtents: true } sharing || sharing.DomainNumber != mapping.Sharing!.DomainNumber || !Equals(other.Codec, mapping.Codec))
            {
                _core.Protection.Counters.Refused(ProtectionRefusal.OptedOut);
            }
            else if (other.State == MappingState.Open)
            {
                others.Add(other);
            }
        }

        return [.. others.OrderByDescending(other => other == likely)];
    }

    /// <summary>Whether pages in one place are equal in memory: what a codec has stored of a page is only that page (SH-10).</summary>
    private static bool MayBeEqual(Mapping mapping, in CommonPages pages) => mapping.Codec is null || pages.First == pages.Second;

    private static ExtentSpace? SpaceOf(Mapping mapping) => (mapping.Device as IExtentDevice)?.ExtentSpace;

    /// <summary>Where a file's bytes lie now; kept as a hint as well.</summary>
    private async Task<Extent[]> AskAsync(Mapping mapping, CancellationToken cancellationToken)
    {
        long writes = mapping.WritesEnded;
        Extent[] extents = await DeviceBoundary.GetExtentsAsync((IExtentDevice)mapping.Device, 0, long.MaxValue, cancellationToken).ConfigureAwait(true);
        Extent[] plain = Array.FindAll(extents, extent => extent.IsPlain);
        _hints.Set(mapping, new ExtentHint(plain, writes));
        return plain;
    }
}
