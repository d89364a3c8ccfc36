namespace StorageCache;

/// <summary>An operation on a page or mapping failed. Base of the cache's own failures; says which file and page.</summary>
public abstract class PageCacheException : IOException
{
    private protected PageCacheException(string message, string path, long? page, Exception? inner)
        : base(message, inner)
    {
        Path = path;
        Page = page;
        if (inner is not null)
        {
            HResult = inner.HResult;
        }
    }

    /// <summary>The file's path, or the device's name.</summary>
    public string Path { get; }

    /// <summary>The page's number, or null if the failure is not about one page.</summary>
    public long? Page { get; }
}
