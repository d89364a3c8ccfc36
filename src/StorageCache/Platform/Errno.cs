using System.Runtime.InteropServices;

namespace StorageCache.Platform;

/// <summary>The kernel's error numbers that the library tells apart. The same on x64 and arm64.</summary>
internal static class Errno
{
    public const int EPERM = 1;
    public const int ENOENT = 2;
    public const int EINTR = 4;
    public const int EIO = 5;
    public const int EBADF = 9;
    public const int EAGAIN = 11;
    public const int ENOMEM = 12;
    public const int EACCES = 13;
    public const int EFAULT = 14;
    public const int EEXIST = 17;
    public const int EISDIR = 21;
    public const int EBUSY = 16;
    public const int EXDEV = 18;
    public const int EINVAL = 22;
    public const int ENOTTY = 25;
    public const int EFBIG = 27;
    public const int ENOSYS = 38;
    public const int EBADR = 53;
    public const int ETIME = 62;
    public const int ENOSPC = 28;
    public const int EOPNOTSUPP = 95;
    public const int ECANCELED = 125;

    /// <summary>The error of the last call into <see cref="LibC"/> on this thread.</summary>
    public static int Last => Marshal.GetLastPInvokeError();

    /// <summary>What <c>strerror</c> says, with the number: <c>No space left on device (errno 28)</c>.</summary>
    public static string Describe(int errno) => $"{Marshal.GetPInvokeErrorMessage(errno)} (errno {errno})";
}
