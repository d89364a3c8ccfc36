namespace StorageCache.Workloads.Hit;

/// <summary>A way to choose pages and a number of threads: one block of the hit workload's metrics.</summary>
/// <param name="Name">The part of the metrics' names that says which block it is.</param>
/// <param name="Sequences">One sequence of page numbers per thread.</param>
internal sealed record PagePattern(string Name, int[][] Sequences);
