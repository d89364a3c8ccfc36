namespace StorageCache;

/// <summary>The cache has been disposed of.</summary>
public sealed class CacheDisposedException : ObjectDisposedException
{
    internal CacheDisposedException()
        : base(nameof(PageCache), "The page cache has been disposed of.")
    {
    }
}
