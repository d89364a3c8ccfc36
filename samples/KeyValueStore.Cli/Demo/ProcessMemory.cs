using StorageCache.KeyValueStore.Cli.Files;

namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>The memory of this process as the kernel counts it.</summary>
internal static class ProcessMemory
{
    /// <summary>The largest resident set so far, in bytes (VmHWM); null where the kernel does not say.</summary>
    public static long? PeakResidentSet() => KernelFile.ReadMemory("/proc/self/status", "VmHWM:");
}
