using System.Runtime.InteropServices;

namespace StorageCache.Platform;

/// <summary><c>struct iovec</c>: one contiguous piece of memory of a vectored transfer.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct IoVector
{
    /// <summary>First byte.</summary>
    public byte* Base;

    /// <summary>Bytes.</summary>
    public nuint Length;
}
