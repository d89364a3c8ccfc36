using Microsoft.Win32.SafeHandles;
using StorageCache.Platform;

namespace StorageCache.IO;

/// <summary>
/// A space of physical addresses: within one, <see cref="Extent.Physical"/> names one block, whichever file it was told for (I/O-25).
/// A value; means something as long as a file in it is open.
/// </summary>
/// <remarks>
/// <para>
/// XFS: the device that the file system is on, by number. Its own identifier would not do, for two snapshots of a volume have the same and can
/// be mounted side by side. Files on a real-time device have none: their addresses count from the start of another device.
/// </para>
/// <para>
/// btrfs: the mounted file system, by identifier. Each subvolume has a device number of its own, and all of them have one space. Of a
/// file system and its copy that are mounted side by side, the kernel gives one a new identifier.
/// </para>
/// <para>
/// Others: none. bcachefs is among them, although it shares blocks: its addresses count from the start of one of its devices, and
/// nothing says of which.
/// </para>
/// </remarks>
internal readonly record struct ExtentSpace
{
    /// <summary>The file system's identifier; empty if it goes by device.</summary>
    private readonly Guid _id;

    /// <summary>Major and minor number of the device; 0 if it goes by identifier.</summary>
    private readonly (uint Major, uint Minor) _device;

    private ExtentSpace(Guid id) => _id = id;

    private ExtentSpace(uint deviceMajor, uint deviceMinor) => _device = (deviceMajor, deviceMinor);

    /// <summary>The space that an open file's extents lie in, or null if its file system does not share blocks, or does not tell.</summary>
    /// <param name="file">The open file.</param>
    /// <param name="status">What <c>statx</c> says of it.</param>
    public static unsafe ExtentSpace? Of(SafeFileHandle file, in FileStatus status)
    {
        // One cheap call tells the file systems apart, so that there is no more where nothing is to be had.
        FileSystemStatus fileSystem;
        if (!status.IsRegularFile || LibC.fstatfs(file, &fileSystem) != 0)
        {
            return null;
        }

        return fileSystem.Type switch
        {
            LibC.XFS_SUPER_MAGIC => IsOnMainDevice(file) ? new ExtentSpace(status.DeviceMajor, status.DeviceMinor) : null,
            LibC.BTRFS_SUPER_MAGIC => OfBtrfs(file, status),
            _ => null,
        };
    }

    /// <inheritdoc/>
    public override string ToString() => _id == Guid.Empty ? $"device {_device.Major}:{_device.Minor}" : $"file system {_id}";

    private static unsafe bool IsOnMainDevice(SafeFileHandle file)
    {
        ExtendedFileAttributes attributes;
        return LibC.ioctl(file, LibC.FS_IOC_FSGETXATTR, &attributes) == 0 && (attributes.Flags & LibC.FS_XFLAG_REALTIME) == 0;
    }

    private static unsafe ExtentSpace OfBtrfs(SafeFileHandle file, in FileStatus status)
    {
        // Where the call is forbidden, each subvolume counts as a space: what they share is not found, and nothing is confused.
        BtrfsStatus btrfs;
        return LibC.ioctl(file, LibC.BTRFS_IOC_FS_INFO, &btrfs) == 0 && btrfs.Id != Guid.Empty
            ? new ExtentSpace(btrfs.Id)
            : new ExtentSpace(status.DeviceMajor, status.DeviceMinor);
    }
}
