using StorageCache.KeyValueStore.Cli.Files;

namespace StorageCache.KeyValueStore.Cli.CommandLine;

/// <summary>How much memory there is.</summary>
internal static class MachineMemory
{
    /// <summary>Bytes of the machine's memory, or what its container may use of them.</summary>
    /// <remarks>The runtime's own number is what its garbage collector may use, which does not bound a page cache.</remarks>
    public static long Bytes { get; } = Math.Min(
        KernelFile.ReadMemory("/proc/meminfo", "MemTotal:") ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
        ControlGroup.MemoryLimit("/proc/self/cgroup", "/sys/fs/cgroup") ?? long.MaxValue);
}
