namespace StorageCache.KeyValueStore.Space;

/// <summary>Pages that a commit has freed and that wait until they may be used again.</summary>
/// <param name="Lsn">The commit.</param>
/// <param name="Value">First page of the value that they carried, which may still be read; 0 for pages of the tree.</param>
/// <param name="Runs">The pages.</param>
internal readonly record struct FreedPages(ulong Lsn, long Value, IReadOnlyList<PageRun> Runs);
