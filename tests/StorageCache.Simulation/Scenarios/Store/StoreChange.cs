namespace StorageCache.Simulation.Scenarios.Store;

/// <summary>What a commit does to one key.</summary>
/// <param name="Key">The key.</param>
/// <param name="Value">Its value from then on; null if it is removed.</param>
internal readonly record struct StoreChange(int Key, byte[]? Value);
