namespace StorageCache.KeyValueStore.Logging;

/// <summary>A log could not be used, or its contents are not what they must be.</summary>
internal abstract class LogException : IOException
{
    private protected LogException(string path, string message, Exception? inner = null)
        : base(message, inner)
    {
        Path = path;
        if (inner is not null)
        {
            HResult = inner.HResult;
        }
    }

    /// <summary>The log's file.</summary>
    public string Path { get; }
}
