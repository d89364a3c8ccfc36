using StorageCache.Workloads.Clones;
using StorageCache.Workloads.Codecs;
using StorageCache.Workloads.Commit;
using StorageCache.Workloads.Dedup;
using StorageCache.Workloads.Hit;
using StorageCache.Workloads.Miss;
using StorageCache.Workloads.Protect;
using StorageCache.Workloads.Recovery;
using StorageCache.Workloads.Wait;
using StorageCache.Workloads.Write;

namespace StorageCache.Workloads;

/// <summary>Every workload there is, in the order in which they are listed.</summary>
internal static class WorkloadCatalog
{
    /// <summary>All workloads.</summary>
    public static IReadOnlyList<IWorkload> All { get; } =
    [
        new HitWorkload(), new WaitWorkload(), new MissWorkload(), new WriteWorkload(), new ClonesWorkload(), new DedupWorkload(), new ProtectWorkload(),
        new CodecWorkload(), new CommitWorkload(), new RecoveryWorkload(),
    ];
}
