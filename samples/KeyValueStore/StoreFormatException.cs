namespace StorageCache.KeyValueStore;

/// <summary>The file is not a key-value store, or one of another format version or page size. It has not been changed.</summary>
public sealed class StoreFormatException : KeyValueStoreException
{
    internal StoreFormatException(string path, string reason, Exception? cause = null)
        : base(path, $"Cannot open '{path}': {reason}.", cause)
    {
    }
}
