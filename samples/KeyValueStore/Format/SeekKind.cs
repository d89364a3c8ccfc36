namespace StorageCache.KeyValueStore.Format;

/// <summary>Which leaf a descent looks for.</summary>
internal enum SeekKind
{
    /// <summary>The leaf whose range holds the key.</summary>
    Containing,

    /// <summary>The leaf whose range holds the keys just below the key.</summary>
    Before,

    /// <summary>The last leaf.</summary>
    Last,
}
