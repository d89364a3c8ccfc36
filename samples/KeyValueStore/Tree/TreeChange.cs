using StorageCache.KeyValueStore.Format;

namespace StorageCache.KeyValueStore.Tree;

/// <summary>What a change of one key found.</summary>
/// <param name="Existed">Whether the key was there before.</param>
/// <param name="OldLength">Bytes that it had in its leaf.</param>
/// <param name="OldValue">The large value that it had; null if its value was in the leaf, or it was not there.</param>
internal readonly record struct TreeChange(bool Existed, int OldLength, OverflowReference? OldValue);
