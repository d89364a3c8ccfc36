namespace StorageCache.KeyValueStore.Checking;

/// <summary>What a page was found to be used for.</summary>
internal enum PageUse : byte
{
    /// <summary>Nothing leads to it.</summary>
    None,

    /// <summary>The meta page.</summary>
    Meta,

    /// <summary>A leaf or branch reached from the root.</summary>
    Tree,

    /// <summary>Part of a value that a leaf refers to.</summary>
    Overflow,

    /// <summary>The map of a group of pages.</summary>
    Map,
}
