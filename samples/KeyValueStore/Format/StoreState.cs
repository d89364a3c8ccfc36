namespace StorageCache.KeyValueStore.Format;

/// <summary>Whether the file says all by itself.</summary>
internal enum StoreState : uint
{
    /// <summary>Every page is as of the redo point, and the log goes no further: the store was closed, and nothing has been changed since.</summary>
    Clean = 1,

    /// <summary>The log has, or may have, changes from the redo point on. Without it the file is worth nothing.</summary>
    InFlux = 2,
}
