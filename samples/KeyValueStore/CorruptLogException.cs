namespace StorageCache.KeyValueStore;

/// <summary>The store's log is damaged where it was durable, or is not the log of this store. Neither file has been changed.</summary>
public sealed class CorruptLogException : KeyValueStoreException
{
    internal CorruptLogException(string path, string problem, Exception? cause)
        : base(path, $"The log of '{path}' is corrupt: {problem}.", cause)
    {
    }
}
