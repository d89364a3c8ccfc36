namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>What the stores of the demonstration's clones take in memory, all of them read in full.</summary>
/// <param name="State">Which stores, and what has been done to them.</param>
/// <param name="Files">Their number.</param>
/// <param name="FileBytes">Bytes of their files.</param>
/// <param name="KernelBytes">Bytes of these in the kernel's page cache, after buffered reads.</param>
/// <param name="ChangedPages">Pages of clones that are not what the same page of their source is.</param>
/// <param name="ClonePages">Pages of clones.</param>
/// <param name="Cache">The statistics of the cache that all of them are open in.</param>
internal sealed record CloneMemory(
    string State, int Files, long FileBytes, long KernelBytes, long ChangedPages, long ClonePages, PageCacheStatistics Cache);
