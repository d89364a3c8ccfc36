namespace StorageCache.KeyValueStore;

/// <summary>A page does not have its checksum or is not what the pages that lead to it say, or a value does not have its hash.</summary>
public sealed class CorruptStoreException : KeyValueStoreException
{
    internal CorruptStoreException(string path, long page, string problem)
        : base(path, $"'{path}' is corrupt at page {page}: {problem}.")
    {
        Page = page;
    }

    internal static CorruptStoreException NotATreePage(string path, long page) => new(path, page, "it is not the tree page that its parent says");

    /// <summary>The page where it showed.</summary>
    public long Page { get; }
}
