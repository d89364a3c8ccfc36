using System.Runtime.InteropServices;

namespace StorageCache.Platform;

/// <summary><c>struct btrfs_ioctl_fs_info_args</c>, the field that is read. 1024 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 1024)]
internal struct BtrfsStatus
{
    /// <summary>The mounted file system's identifier: no two that are mounted at a time have the same.</summary>
    [FieldOffset(16)]
    public Guid Id;
}
