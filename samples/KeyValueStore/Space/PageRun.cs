namespace StorageCache.KeyValueStore.Space;

/// <summary>Pages that are neighbours.</summary>
/// <param name="First">The first one.</param>
/// <param name="Count">How many, 1 or more.</param>
internal readonly record struct PageRun(long First, int Count);
