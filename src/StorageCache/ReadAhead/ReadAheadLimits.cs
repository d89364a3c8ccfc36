namespace StorageCache.ReadAhead;

/// <summary>How far read-ahead may go, in pages; follows the size of the cache.</summary>
/// <param name="Window">The largest window; 0 if nothing is to be read ahead.</param>
/// <param name="Scan">How far a stream goes before it counts as a scan, which gives up the pages behind it.</param>
/// <param name="Spare">Frames that may be taken before others are evicted for them; can be negative.</param>
/// <param name="Pages">Pages of the mapping: the fewer there are, the more often chance makes neighbours.</param>
internal readonly record struct ReadAheadLimits(int Window, long Scan, long Spare, long Pages = long.MaxValue);
