namespace StorageCache.KeyValueStore.Format;

/// <summary>Where the map pages are. Each has a bit for every page of its group, its own among them: set while the page is in use (KV-9).</summary>
/// <remarks>
/// A group is as many pages as one map page has bits. Its map page is its first page, but for the first group, which begins with the meta page and the
/// root: there it is page 2.
/// </remarks>
internal readonly struct MapLayout(int pageSize)
{
    /// <summary>Map page of the first group.</summary>
    public const long FirstMapPage = MetaPage.RootPage + 1;

    /// <summary>Pages of a group; a multiple of 64.</summary>
    public int GroupPages { get; } = (pageSize - PageHeader.Size) * 8;

    /// <summary>Groups, whole or in part, of a file with so many pages.</summary>
    public int GroupCount(long pageCount) => checked((int)((pageCount + GroupPages - 1) / GroupPages));

    public int GroupOf(long page) => checked((int)(page / GroupPages));

    public long FirstPageOf(int group) => (long)group * GroupPages;

    public long MapPageOf(int group) => group == 0 ? FirstMapPage : FirstPageOf(group);

    public bool IsMapPage(long page) => page == MapPageOf(GroupOf(page));
}
