using System.Runtime.InteropServices;

namespace StorageCache.Platform.Native;

/// <summary>One completion of a ring (<c>sc_completion</c>). 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RingCompletion
{
    /// <summary>What the request had.</summary>
    public ulong UserData;

    /// <summary>Bytes transferred, 0, or a negative error number.</summary>
    public int Result;

    /// <summary>The kernel's flags; none is set for the operations of <see cref="RingOperation"/>.</summary>
    public uint Flags;
}
