namespace StorageCache;

/// <summary>The file or device is open in this cache already, in a way that does not go with the options it is to be opened with. It stays open as it is.</summary>
public sealed class MappingInUseException : PageCacheException
{
    internal MappingInUseException(string message, string path, long? page = null, Exception? inner = null)
        : base(message, path, page, inner)
    {
    }
}
