namespace StorageCache.Simulation.Scenarios.Engine;

/// <summary>What a page may hold after a loss of power, for all its sectors.</summary>
/// <param name="Sequence">When it came, in the count of changes.</param>
/// <param name="Version">The version; 0 for zeros.</param>
/// <param name="Life">The life of the mapping in which it came: a flush makes only its own mapping's changes durable.</param>
/// <param name="Lsn">The number of its log record; 0 if it has none.</param>
/// <param name="IsCertain">Whether it is what the page held from then on; not, while what brings it is under way and may fail.</param>
internal readonly record struct Candidate(long Sequence, long Version, int Life, ulong Lsn, bool IsCertain);
