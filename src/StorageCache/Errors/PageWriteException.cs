namespace StorageCache;

/// <summary>Dirty pages could not be written to their device. They stay dirty and readable, and are written again later; <see cref="PageCacheException.Page"/> names the first of them.</summary>
public sealed class PageWriteException : PageCacheException
{
    internal PageWriteException(string message, string path, long? page = null, Exception? inner = null)
        : base(message, path, page, inner)
    {
    }
}
