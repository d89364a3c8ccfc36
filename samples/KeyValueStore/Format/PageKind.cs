namespace StorageCache.KeyValueStore.Format;

/// <summary>What a page is; the first byte after the checksum of every page but the meta page.</summary>
internal enum PageKind : byte
{
    /// <summary>Never written: a page of zeroes is no page of the store.</summary>
    None = 0,

    /// <summary>A tree page of level 0: keys with their values.</summary>
    Leaf = 1,

    /// <summary>A tree page of level 1 and above: separators with their children.</summary>
    Branch = 2,

    /// <summary>A piece of a large value.</summary>
    Overflow = 3,

    /// <summary>Says which pages are in use.</summary>
    Map = 4,
}
