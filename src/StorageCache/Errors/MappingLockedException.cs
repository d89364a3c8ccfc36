namespace StorageCache;

/// <summary>Another process, or another cache, has the file locked.</summary>
public sealed class MappingLockedException : PageCacheException
{
    internal MappingLockedException(string message, string path, long? page = null, Exception? inner = null)
        : base(message, path, page, inner)
    {
    }
}
