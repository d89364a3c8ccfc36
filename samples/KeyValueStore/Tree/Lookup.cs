using StorageCache.KeyValueStore.Format;

namespace StorageCache.KeyValueStore.Tree;

/// <summary>What a leaf says about a key.</summary>
/// <param name="Found">Whether it is there.</param>
/// <param name="Length">Bytes of its value.</param>
/// <param name="IsOverflow">Whether the value is on overflow pages.</param>
/// <param name="Reference">Where those are.</param>
internal readonly record struct Lookup(bool Found, int Length, bool IsOverflow, OverflowReference Reference);
