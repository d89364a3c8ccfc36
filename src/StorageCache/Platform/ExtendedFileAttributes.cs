using System.Runtime.InteropServices;

namespace StorageCache.Platform;

/// <summary><c>struct fsxattr</c>, the field that is read. 28 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 28)]
internal struct ExtendedFileAttributes
{
    /// <summary>What is true of the file (<c>FS_XFLAG_*</c>).</summary>
    [FieldOffset(0)]
    public uint Flags;
}
