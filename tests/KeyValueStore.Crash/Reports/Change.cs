namespace StorageCache.KeyValueStore.Crash.Reports;

/// <summary>What happens to a key, or is found of it.</summary>
/// <param name="Key">The key's number.</param>
/// <param name="Version">Which value it has, of all that were ever put; 0 for none.</param>
internal readonly record struct Change(int Key, long Version);
