using System.Runtime.InteropServices;

namespace StorageCache.Platform;

/// <summary><c>struct statfs</c>, the field that is read. 120 bytes on x64 and arm64.</summary>
[StructLayout(LayoutKind.Explicit, Size = 120)]
internal struct FileSystemStatus
{
    /// <summary>Magic number of the file system.</summary>
    [FieldOffset(0)]
    public long Type;
}
