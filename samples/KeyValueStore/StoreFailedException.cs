namespace StorageCache.KeyValueStore;

/// <summary>An earlier change stopped half way, so the store takes no more changes and is never marked clean again. Reads go on.</summary>
public sealed class StoreFailedException : KeyValueStoreException
{
    internal StoreFailedException(string path, Exception cause)
        : base(path, $"'{path}' takes no more changes: an earlier one stopped half way ({cause.Message})")
    {
    }
}
