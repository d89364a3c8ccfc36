namespace StorageCache.KeyValueStore.Commits;

/// <summary>A page as one commit finds it and leaves it.</summary>
internal sealed class ChangedPage(long page, int level, byte[]? before)
{
    /// <summary>The level of a map page: below all leaves, since nobody comes there from a leaf.</summary>
    public const int MapLevel = -1;

    public long Page { get; } = page;

    /// <summary>The level that it has before the commit (KV-7), and a new page after it.</summary>
    public int Level { get; } = level;

    /// <summary>Its bytes before; null for a page that is new.</summary>
    public byte[]? Before { get; } = before;

    /// <summary>Its bytes after; null as long as they are the same.</summary>
    public byte[]? After { get; set; }

    /// <summary>Whether the commit takes the page out of use.</summary>
    public bool IsFreed { get; set; }

    /// <summary>
    /// Whether its bytes after are in the commit's record, and are to be put in place. The pages that the commit only latches, those that it
    /// frees and branches that end as they began, keep theirs.
    /// </summary>
    public bool IsLogged { get; set; }

    public bool IsNew => Before is null;

    /// <summary>The bytes as the commit sees them so far.</summary>
    public byte[] Current => After ?? Before ?? throw new InvalidOperationException($"Page {Page} is new and has not been written.");
}
