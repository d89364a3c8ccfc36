namespace StorageCache;

/// <summary>
/// The mapping is <see cref="MappingState.Failed"/>: an earlier flush failed, so nothing can be written or flushed until it is closed and reopened. A read gets it for a page that
/// is not in memory and that the device may have lost since the last good flush; <see cref="PageCacheException.Page"/> is that page's number then.
/// </summary>
public sealed class MappingFailedException : PageCacheException
{
    internal MappingFailedException(string message, string path, long? page = null, Exception? inner = null)
        : base(message, path, page, inner)
    {
    }
}
