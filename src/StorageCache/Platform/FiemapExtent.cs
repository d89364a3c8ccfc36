using System.Runtime.InteropServices;

namespace StorageCache.Platform;

/// <summary><c>struct fiemap_extent</c>, the fields that are read. 56 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 56)]
internal struct FiemapExtent
{
    /// <summary>Bytes from the start of the file.</summary>
    [FieldOffset(0)]
    public ulong Logical;

    /// <summary>Bytes from the start of the file system's space.</summary>
    [FieldOffset(8)]
    public ulong Physical;

    /// <summary>Bytes.</summary>
    [FieldOffset(16)]
    public ulong Length;

    /// <summary>What is true of it.</summary>
    [FieldOffset(40)]
    public FiemapExtentFlags Flags;
}
