namespace StorageCache.Sharing;

/// <summary>What one mapping shares, and by what its pages are found. Thread-safe.</summary>
/// <param name="domain">The domain.</param>
/// <param name="sharesExtents">Whether extents are shared.</param>
internal sealed class MappingSharing(SharingDomain domain, bool sharesExtents)
{
    private readonly List<ExtentIdentity> _origins = [];
    private ExtentMap? _extents;
    private PageSet? _recording;
    private int _isSearched;

    /// <summary>The domain.</summary>
    public SharingDomain Domain { get; } = domain;

    /// <summary>The domain's number; part of every content key.</summary>
    public uint DomainNumber => Domain.Number;

    /// <summary>Whether pages are found by their extents.</summary>
    public bool SharesExtents { get; } = sharesExtents;

    /// <summary>Whether pages are found by their content.</summary>
    public bool SharesContent => Domain.SharesContent;

    /// <summary>Whether a first write always copies.</summary>
    public bool IsHardened => Domain.IsHardened;

    /// <summary>Which pages other files have as well; null while none are known.</summary>
    public ExtentMap? Extents => Volatile.Read(ref _extents);

    /// <summary>Whether the caller is the first who is to find out what the mapping has in common with others.</summary>
    public bool TryBeginSearch() => Interlocked.Exchange(ref _isSearched, 1) == 0;

    /// <summary>
    /// Begins to note the pages that become dirty, for the map that is about to be made: what it finds out about them may be out of date
    /// when it is done. The caller adds those that are dirty already afterwards (SH-2).
    /// </summary>
    public void Record(PageSet pages)
    {
        Volatile.Write(ref _recording, pages);
        Interlocked.MemoryBarrier();
    }

    /// <summary>Ends the recording without a new map.</summary>
    public void StopRecording() => Volatile.Write(ref _recording, null);

    /// <summary>Puts a map in place whose private pages are what was recorded, and goes on with that. Returns the one before.</summary>
    public ExtentMap? Replace(ExtentMap? extents)
    {
        // In this order, and read in the other one: whoever sees no recording any more sees the new map (SH-2).
        ExtentMap? before = Interlocked.Exchange(ref _extents, extents);
        Volatile.Write(ref _recording, null);
        return before;
    }

    /// <summary>A page is dirty: it has left its run for good. The page is dirty in its state word already.</summary>
    public void OnDirty(long page)
    {
        Volatile.Read(ref _recording)?.Add(page);
        Volatile.Read(ref _extents)?.Leave(page);
    }

    /// <summary>Pages from one to an end are about to be punched. No recording is under way, for that keeps punches out.</summary>
    public void OnPunch(long page, long end) => Extents?.LeaveRange(page, end);

    /// <summary>The file is about to be cut: pages that come back will be others.</summary>
    /// <param name="fromPage">The first page that does not stay as it is.</param>
    public void OnCut(long fromPage) => Extents?.Cut(fromPage);

    /// <summary>Says of which runs the mapping is the origin now. Others that were made of its pages forget it: it has none of them any more.</summary>
    public void IsOriginOf(IEnumerable<ExtentIdentity> identities)
    {
        lock (_origins)
        {
            HashSet<ExtentIdentity> before = [.. _origins];
            _origins.Clear();
            _origins.AddRange(identities.Distinct());
            before.ExceptWith(_origins);
            foreach (ExtentIdentity identity in before)
            {
                identity.LeaveOrigin();
            }
        }
    }

    /// <summary>Has the runs that were made of the mapping's pages forget it: it is closed.</summary>
    public void LeaveOrigins()
    {
        lock (_origins)
        {
            _origins.ForEach(identity => identity.LeaveOrigin());
            _origins.Clear();
        }
    }
}
