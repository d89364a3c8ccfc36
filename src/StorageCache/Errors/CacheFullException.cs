namespace StorageCache;

/// <summary>No frame came free within <see cref="PageCacheOptions.FrameTimeout"/>: every page was pinned, latched or dirty. Nothing is lost; the call can be repeated.</summary>
public sealed class CacheFullException : PageCacheException
{
    internal CacheFullException(string message, string path, long? page = null, Exception? inner = null)
        : base(message, path, page, inner)
    {
    }
}
