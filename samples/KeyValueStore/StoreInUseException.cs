namespace StorageCache.KeyValueStore;

/// <summary>The file is open as a store in this process already; one store object serves all threads.</summary>
public sealed class StoreInUseException : KeyValueStoreException
{
    internal StoreInUseException(string path)
        : base(path, $"Cannot open '{path}': it is open in this process already; share the one store object.")
    {
    }
}
