using System.Runtime.InteropServices;

namespace StorageCache.Platform;

/// <summary><c>struct statx</c>, the fields that are read. 256 bytes, the same on every architecture.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct FileStatus
{
    /// <summary><c>S_IFMT</c>: the bits of <see cref="Mode"/> that say what the node is.</summary>
    private const int TypeMask = 0xf000;

    /// <summary><c>S_IFREG</c>.</summary>
    private const int TypeRegular = 0x8000;

    /// <summary><c>S_IFDIR</c>.</summary>
    private const int TypeDirectory = 0x4000;

    /// <summary><c>S_IFBLK</c>.</summary>
    private const int TypeBlockDevice = 0x6000;

    /// <summary>Which fields the kernel filled in (<c>STATX_*</c>).</summary>
    [FieldOffset(0)]
    public uint Mask;

    /// <summary>Type and permissions.</summary>
    [FieldOffset(28)]
    public ushort Mode;

    /// <summary>Inode number within the file system.</summary>
    [FieldOffset(32)]
    public ulong Inode;

    /// <summary>Length in bytes; 0 for a block device.</summary>
    [FieldOffset(40)]
    public ulong Size;

    /// <summary>Major number of the device that this node stands for, if it is a device node.</summary>
    [FieldOffset(128)]
    public uint NodeDeviceMajor;

    /// <summary>Minor number of the device that this node stands for, if it is a device node.</summary>
    [FieldOffset(132)]
    public uint NodeDeviceMinor;

    /// <summary>Major number of the device that holds the inode.</summary>
    [FieldOffset(136)]
    public uint DeviceMajor;

    /// <summary>Minor number of the device that holds the inode.</summary>
    [FieldOffset(140)]
    public uint DeviceMinor;

    /// <summary>Alignment in bytes of memory in direct I/O; 0 when the file refuses direct I/O. Valid with <see cref="LibC.STATX_DIOALIGN"/>.</summary>
    [FieldOffset(152)]
    public uint DirectMemoryAlignment;

    /// <summary>Alignment in bytes of offsets and lengths in direct I/O; 0 when the file refuses direct I/O. Valid with <see cref="LibC.STATX_DIOALIGN"/>.</summary>
    [FieldOffset(156)]
    public uint DirectOffsetAlignment;

    /// <summary>Whether the node is a regular file.</summary>
    public readonly bool IsRegularFile => (Mode & TypeMask) == TypeRegular;

    /// <summary>Whether the node is a directory.</summary>
    public readonly bool IsDirectory => (Mode & TypeMask) == TypeDirectory;

    /// <summary>Whether the node is a block device.</summary>
    public readonly bool IsBlockDevice => (Mode & TypeMask) == TypeBlockDevice;
}
