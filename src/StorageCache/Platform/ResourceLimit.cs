using System.Runtime.InteropServices;

namespace StorageCache.Platform;

/// <summary>The kernel's <c>struct rlimit</c> on 64-bit architectures.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ResourceLimit
{
    /// <summary>What holds; <see cref="ulong.MaxValue"/> if nothing does.</summary>
    public ulong Current;

    /// <summary>What it may be raised to.</summary>
    public ulong Maximum;
}
