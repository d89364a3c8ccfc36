namespace StorageCache.KeyValueStore;

/// <summary>
/// The store was not closed, and its log, which has what its file lacks, cannot be used: it is missing or never was finished, or the store is to be opened for
/// reading only. Nothing has been changed.
/// </summary>
public sealed class StoreNotCleanException : KeyValueStoreException
{
    internal StoreNotCleanException(string path, string reason, bool canRecover, Exception? cause = null)
        : base(path, $"Cannot open '{path}': it was not closed, and {reason}.", cause)
    {
        CanRecover = canRecover;
    }

    /// <summary>Whether opening it for writing recovers it.</summary>
    public bool CanRecover { get; }
}
