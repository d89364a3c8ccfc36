namespace StorageCache.Workloads.Hit;

/// <summary>What one variant did in one round.</summary>
/// <param name="Nanoseconds">Wall-clock time divided by the operations of all threads together.</param>
/// <param name="AllocatedBytes">Managed bytes allocated by the measuring threads, per operation.</param>
/// <param name="Sum">Sum of the 8-byte words read or written.</param>
internal readonly record struct HitMeasurement(double Nanoseconds, double AllocatedBytes, long Sum);
