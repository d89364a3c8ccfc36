namespace StorageCache;

/// <summary>The mapping cannot be closed: a lease or pin of it has not been returned. It stays open; <see cref="PageCacheException.Page"/> names the page.</summary>
public sealed class MappingBusyException : PageCacheException
{
    internal MappingBusyException(string message, string path, long? page = null, Exception? inner = null)
        : base(message, path, page, inner)
    {
    }
}
