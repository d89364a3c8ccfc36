using System.Runtime.InteropServices;

namespace StorageCache.Platform;

/// <summary><c>struct fiemap</c> without its array of extents, which follows it. 32 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FiemapHeader
{
    /// <summary>Where the range begins: bytes from the start of the file.</summary>
    public ulong Start;

    /// <summary>Bytes in the range.</summary>
    public ulong Length;

    /// <summary>How (<c>FIEMAP_FLAG_*</c>).</summary>
    public uint Flags;

    /// <summary>Extents that the kernel wrote.</summary>
    public uint MappedExtents;

    /// <summary>Extents that fit behind the header.</summary>
    public uint ExtentCount;

    /// <summary>0.</summary>
    public uint Reserved;
}
