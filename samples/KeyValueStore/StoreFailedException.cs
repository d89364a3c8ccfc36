namespace StorageCache.KeyValueStore;

/// <summary>
/// The store takes no more changes: its log or its file has failed, or a change stopped half way. Reads go on. Closing it and opening it anew recovers
/// everything that is durable; whether a change that was waiting for that is among it, only that tells. The message ends with what has failed, which is the
/// inner exception.
/// </summary>
public sealed class StoreFailedException : KeyValueStoreException
{
    internal StoreFailedException(string path, Exception cause)
        : base(path, $"'{path}' takes no more changes until it is opened anew ({cause.Message})", cause)
    {
    }
}
