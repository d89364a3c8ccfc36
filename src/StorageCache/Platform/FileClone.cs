using Microsoft.Win32.SafeHandles;
using StorageCache.Platform.Native;

namespace StorageCache.Platform;

/// <summary>Makes a file a clone of another (<c>FICLONE</c>), through the native library where there is one, else through the C library.</summary>
/// <remarks>Both ways give the same answers (I/O-26). All members may be called from any thread.</remarks>
internal static class FileClone
{
    /// <summary>Gives a file all the bytes of another, in shared blocks.</summary>
    /// <param name="source">Open for reading.</param>
    /// <param name="destination">Open for writing.</param>
    /// <returns>0, or a negative error number, <c>-EOPNOTSUPP</c> if the file system cannot clone.</returns>
    public static int Make(SafeFileHandle source, SafeFileHandle destination) => NativeLibraryLoader.Current.Has(NativeCapabilities.Clone)
        ? NativeMethods.Clone(source, destination)
        : MakeByLibC(source, destination);

    /// <summary><see cref="Make"/> through the C library.</summary>
    public static int MakeByLibC(SafeFileHandle source, SafeFileHandle destination)
    {
        if (LibC.ioctl(destination, LibC.FICLONE, source) == 0)
        {
            return 0;
        }

        int errno = Errno.Last;

        // A file system that has no ioctls at all means the same as one that has not this one.
        return errno == Errno.ENOTTY ? -Errno.EOPNOTSUPP : -errno;
    }
}
