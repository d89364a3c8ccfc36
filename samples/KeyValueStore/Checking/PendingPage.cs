namespace StorageCache.KeyValueStore.Checking;

/// <summary>A tree page yet to be visited.</summary>
/// <param name="Page">The page.</param>
/// <param name="Parent">The page that leads to it.</param>
/// <param name="Level">The level it must have.</param>
/// <param name="Lower">The least key it may hold.</param>
/// <param name="Upper">The key that all of its keys are less than; null when there is no bound.</param>
internal readonly record struct PendingPage(long Page, long Parent, int Level, byte[] Lower, byte[]? Upper);
