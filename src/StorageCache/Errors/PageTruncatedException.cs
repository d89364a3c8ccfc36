namespace StorageCache;

/// <summary>The page lies beyond the end of its file, or was truncated away while it was waited for.</summary>
public sealed class PageTruncatedException : PageCacheException
{
    internal PageTruncatedException(string message, string path, long? page = null, Exception? inner = null)
        : base(message, path, page, inner)
    {
    }
}
