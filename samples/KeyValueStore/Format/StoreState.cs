namespace StorageCache.KeyValueStore.Format;

/// <summary>Whether the file is as its last flush left it.</summary>
internal enum StoreState : uint
{
    /// <summary>Every page is as the meta page describes it.</summary>
    Clean = 1,

    /// <summary>Pages have changed, or may have, since the meta page was written.</summary>
    InFlux = 2,
}
