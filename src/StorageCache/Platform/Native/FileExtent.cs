using System.Runtime.InteropServices;

namespace StorageCache.Platform.Native;

/// <summary>A run of a file that lies in one run of its device (<c>sc_extent</c>). 32 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FileExtent
{
    /// <summary>Bytes from the start of the file.</summary>
    public ulong Logical;

    /// <summary>Bytes from the start of the file system's device, or of the address space that the file system makes of its devices.</summary>
    public ulong Physical;

    /// <summary>Bytes.</summary>
    public ulong Length;

    /// <summary>What is true of it.</summary>
    public ExtentFlags Flags;

    /// <summary>0.</summary>
    public uint Reserved;
}
