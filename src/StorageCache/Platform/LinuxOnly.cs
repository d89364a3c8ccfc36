using System.Runtime.InteropServices;

namespace StorageCache.Platform;

/// <summary>The one place that says where the library runs: 64-bit Linux on x64 or arm64.</summary>
/// <remarks>Flag values and structure layouts in <see cref="LibC"/> are the kernel's for these two architectures and for no other.</remarks>
internal static class LinuxOnly
{
    /// <summary>Refuses every platform but Linux on x64 and arm64.</summary>
    /// <exception cref="PlatformNotSupportedException">The process runs elsewhere.</exception>
    public static void Demand()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture is not (Architecture.X64 or Architecture.Arm64))
        {
            throw new PlatformNotSupportedException(
                $"StorageCache runs on Linux, x64 or arm64; this process runs on {RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}.");
        }
    }
}
