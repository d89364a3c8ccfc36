namespace StorageCache.KeyValueStore.Tree;

/// <summary>One page on the way from the root to a leaf.</summary>
/// <param name="Page">The page.</param>
/// <param name="Index">Which child the way goes on to; unused for the leaf.</param>
/// <param name="IsLastChild">Whether that is the last child.</param>
internal readonly record struct PathStep(long Page, int Index, bool IsLastChild);
