namespace StorageCache;

/// <summary>A page did not become available within the time allowed. The page is unchanged; the call can be repeated.</summary>
public sealed class LatchTimeoutException : PageCacheException
{
    internal LatchTimeoutException(string message, string path, long? page = null, Exception? inner = null)
        : base(message, path, page, inner)
    {
    }
}
