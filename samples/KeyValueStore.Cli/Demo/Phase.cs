namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>A part of the demonstration, with what it took.</summary>
/// <param name="Name">What was done.</param>
/// <param name="Duration">How long it took.</param>
/// <param name="Bytes">Bytes of values that went through; 0 when it is not about values.</param>
/// <param name="Before">The cache's counters when it began.</param>
/// <param name="After">The cache's counters when it ended.</param>
internal sealed record Phase(string Name, TimeSpan Duration, long Bytes, PageCacheStatistics Before, PageCacheStatistics After);
