namespace StorageCache.KeyValueStore.Tree;

/// <summary>What becomes of one page when a plan is applied.</summary>
/// <param name="Page">The page.</param>
/// <param name="Level">Its level before the change; pages are leased from the highest level down (KV-7).</param>
/// <param name="Image">Its new bytes; null when the page is freed.</param>
internal readonly record struct StagedPage(long Page, int Level, byte[]? Image);
