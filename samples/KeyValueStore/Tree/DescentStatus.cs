namespace StorageCache.KeyValueStore.Tree;

/// <summary>How one optimistic attempt ended.</summary>
internal enum DescentStatus
{
    /// <summary>At the leaf.</summary>
    Arrived,

    /// <summary>A page changed under the reader; begin again at the root.</summary>
    Restart,

    /// <summary>A page is not in the cache, or a writer holds it; get it, then begin again at the root.</summary>
    Miss,
}
