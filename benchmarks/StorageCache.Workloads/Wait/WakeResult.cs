namespace StorageCache.Workloads.Wait;

/// <summary>What one variant's wakes came to in one round.</summary>
/// <param name="MedianNanoseconds">Half of the wakes were at most this long, from release to resumed.</param>
/// <param name="P99Nanoseconds">99 of 100 were.</param>
/// <param name="ExaminedPerWake">Waiters looked at, divided by wakes.</param>
/// <param name="AllocatedBytes">Managed bytes allocated per wait: park, wake and resume together.</param>
internal readonly record struct WakeResult(double MedianNanoseconds, double P99Nanoseconds, double ExaminedPerWake, double AllocatedBytes);
