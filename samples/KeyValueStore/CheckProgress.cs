namespace StorageCache.KeyValueStore;

/// <summary>How far a check has come.</summary>
/// <param name="PagesChecked">Pages looked at.</param>
/// <param name="PageCount">Pages of the store.</param>
public readonly record struct CheckProgress(long PagesChecked, long PageCount);
