namespace StorageCache.KeyValueStore.Cli.Loading;

/// <summary>A file cannot be put, for a reason that lies with the file and not with the store.</summary>
internal sealed class SourceException(SkipReason reason, string detail, Exception? inner = null) : Exception(detail, inner)
{
    public SkipReason Reason { get; } = reason;
}
