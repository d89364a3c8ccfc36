namespace StorageCache;

/// <summary>The mapping is <see cref="MappingState.Failed"/>: an earlier flush failed, so nothing can be written or flushed until it is closed and reopened.</summary>
public sealed class MappingFailedException : PageCacheException
{
    internal MappingFailedException(string message, string path, long? page = null, Exception? inner = null)
        : base(message, path, page, inner)
    {
    }
}
