namespace StorageCache.KeyValueStore;

/// <summary>A store's file could not be used, or its contents are not what they must be.</summary>
/// <remarks>
/// I/O errors below the store arrive as the cache's own <see cref="PageCacheException"/>. Where something else was the cause, that is the inner exception, and
/// <see cref="Exception.HResult"/> is that one's.
/// </remarks>
public abstract class KeyValueStoreException : IOException
{
    private protected KeyValueStoreException(string path, string message, Exception? cause = null)
        : base(message, cause)
    {
        Path = path;
        if (cause is not null)
        {
            HResult = cause.HResult;
        }
    }

    /// <summary>The store's file.</summary>
    public string Path { get; }
}
