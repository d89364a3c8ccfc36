namespace StorageCache;

/// <summary>The device failed to make written pages durable. The mapping is <see cref="MappingState.Failed"/> from now on; what was written since the last good flush and is still resident is dirty again.</summary>
public sealed class FlushFailedException : PageCacheException
{
    internal FlushFailedException(string message, string path, long? page = null, Exception? inner = null)
        : base(message, path, page, inner)
    {
    }
}
