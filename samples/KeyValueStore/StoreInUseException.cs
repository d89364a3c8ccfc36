namespace StorageCache.KeyValueStore;

/// <summary>The file is open in this cache already, as a rule as a store: one store object serves all threads. The inner exception is the cache's.</summary>
public sealed class StoreInUseException : KeyValueStoreException
{
    internal StoreInUseException(string path, Exception cause)
        : base(path, $"Cannot open '{path}': it is open in this cache already; share the one store object.", cause)
    {
    }
}
