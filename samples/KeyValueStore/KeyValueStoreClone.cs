namespace StorageCache.KeyValueStore;

/// <summary>What <see cref="KeyValueStore.CloneAsync"/> has made.</summary>
/// <param name="Store">The clone, open in the cache of its source. The caller closes it.</param>
/// <param name="IsReflink">Whether the two files have their blocks in common, and so the stores their pages in memory, until one of them changes; else it is a plain copy.</param>
/// <param name="WhyNot">Why it is a plain copy, as a sentence; null if it is not.</param>
public readonly record struct KeyValueStoreClone(KeyValueStore Store, bool IsReflink, string? WhyNot);
