namespace StorageCache;

/// <summary>Tells of something that has gone wrong below a cache, or is well again; see <see cref="PageCache.HealthChanged"/>. Immutable.</summary>
public sealed class HealthEventArgs : EventArgs
{
    internal HealthEventArgs(HealthEventKind kind, Mapping mapping, long? page, Exception? error, long dropped)
    {
        Kind = kind;
        Mapping = mapping;
        Page = page;
        Error = error;
        Dropped = dropped;
    }

    /// <summary>What has happened.</summary>
    public HealthEventKind Kind { get; }

    /// <summary>Where. It may be closed by now.</summary>
    public Mapping Mapping { get; }

    /// <summary>The page's number; null for what is not about one page.</summary>
    public long? Page { get; }

    /// <summary>What the device or the log failed with, or the <see cref="PageCorruptException"/>; null for what is well again.</summary>
    public Exception? Error { get; }

    /// <summary>How many events before this one were dropped, because handlers had not got through those before.</summary>
    public long Dropped { get; }
}
