namespace StorageCache.Workloads.Dedup;

/// <summary>What it took to find equal pages that were in memory already.</summary>
/// <param name="Seconds">From when the last of them had come to rest until each had one copy.</param>
/// <param name="CpuSeconds">Processor time of the thread that looks for them.</param>
internal readonly record struct MergeFigures(double Seconds, double CpuSeconds);
