namespace StorageCache.KeyValueStore.Logging;

/// <summary>Where a log ends, and what holds there.</summary>
/// <param name="Lsn">Behind the last whole batch: where a block begins.</param>
/// <param name="Chain">Checksum of the record before, which is a seal or none.</param>
/// <param name="RedoChain">What the first record has for the checksum of the record before it; null if that is not known.</param>
/// <param name="SealSegments">Segments that the file has for certain.</param>
internal readonly record struct LogEnd(ulong Lsn, ulong Chain, ulong? RedoChain, long SealSegments);
