namespace StorageCache.Workloads;

/// <summary>A workload found that its numbers would not be of the real thing: a miss, a wrong byte, a lost waiter.</summary>
internal sealed class WorkloadFailedException(string message) : Exception(message);
