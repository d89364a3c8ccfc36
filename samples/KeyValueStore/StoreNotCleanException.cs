namespace StorageCache.KeyValueStore;

/// <summary>The store was changed after its last flush and never flushed again: its process ended in the middle. It has not been changed.</summary>
/// <remarks>There is no recovery; what the file holds is a mixture of old and new pages.</remarks>
public sealed class StoreNotCleanException : KeyValueStoreException
{
    internal StoreNotCleanException(string path)
        : base(path, $"Cannot open '{path}': it was cut off between two flushes (its state is in flux), so its pages are a mixture of old and new.")
    {
    }
}
