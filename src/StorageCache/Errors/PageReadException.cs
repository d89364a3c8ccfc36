namespace StorageCache;

/// <summary>A page could not be read from its device. The party that started the read gets it; others who waited for the page try again. Nothing is cached; a later access reads again.</summary>
public class PageReadException : PageCacheException
{
    internal PageReadException(string message, string path, long? page = null, Exception? inner = null)
        : base(message, path, page, inner)
    {
    }
}
