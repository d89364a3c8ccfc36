namespace StorageCache.KeyValueStore.Format;

/// <summary>What the tree holds; kept in the meta page and proved by the check. A class, so that readers see all of one state.</summary>
/// <param name="Height">Levels; 1 when the root is a leaf.</param>
/// <param name="Entries">Keys.</param>
/// <param name="LeafPages">Pages of level 0.</param>
/// <param name="BranchPages">Pages of level 1 and above.</param>
/// <param name="OverflowPages">Pages that carry large values.</param>
/// <param name="KeyBytes">Bytes of all keys; separators do not count.</param>
/// <param name="ValueBytes">Bytes of all values.</param>
internal sealed record TreeCounts(
    int Height, long Entries, long LeafPages, long BranchPages, long OverflowPages, long KeyBytes, long ValueBytes);
