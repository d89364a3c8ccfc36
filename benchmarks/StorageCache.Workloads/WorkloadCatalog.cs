using StorageCache.Workloads.Hit;
using StorageCache.Workloads.Wait;

namespace StorageCache.Workloads;

/// <summary>Every workload there is, in the order in which they are listed.</summary>
internal static class WorkloadCatalog
{
    /// <summary>All workloads.</summary>
    public static IReadOnlyList<IWorkload> All { get; } = [new HitWorkload(), new WaitWorkload()];
}
