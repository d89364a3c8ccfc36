using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace StorageCache.Platform;

/// <summary>The C library's calls that the library makes, under their own names.</summary>
/// <remarks>
/// A failed call leaves its error in <see cref="Errno.Last"/>. No call allocates managed memory when it succeeds.
/// <c>off_t</c> has 64 bits on the architectures that <see cref="LinuxOnly"/> admits, so no <c>64</c> variants are needed;
/// on both of them a variadic function takes its arguments as a plain one does, so <see cref="open"/>, <see cref="fcntl"/> and <c>ioctl</c> are declared plainly.
/// A descriptor passed as <see cref="SafeFileHandle"/> cannot be closed, and its number reused, while the call runs.
/// </remarks>
internal static unsafe partial class LibC
{
    // The runtime, ahead-of-time compiled or not, resolves this name to the C library itself, whatever its file is called.
    private const string Library = "libc";

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int open(string path, int flags, uint mode);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fcntl(SafeFileHandle file, int command, int argument);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int ioctl(SafeFileHandle file, nuint request, void* argument);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int ioctl(SafeFileHandle file, nuint request, SafeFileHandle argument);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int flock(SafeFileHandle file, int operation);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int statx(SafeFileHandle directory, byte* path, int flags, uint mask, FileStatus* status);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fstatfs(SafeFileHandle file, FileSystemStatus* status);

    [LibraryImport(Library, SetLastError = true)]
    public static partial long lseek(SafeFileHandle file, long offset, int origin);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int ftruncate(SafeFileHandle file, long length);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fallocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fsync(SafeFileHandle file);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fdatasync(SafeFileHandle file);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint pread(SafeFileHandle file, byte* buffer, nuint count, long offset);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint preadv(SafeFileHandle file, IoVector* vectors, int count, long offset);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint pwritev(SafeFileHandle file, IoVector* vectors, int count, long offset);

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int memfd_create(string name, uint flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int getrlimit(int resource, ResourceLimit* limit);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint mmap(nint address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int munmap(nint address, nuint length);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int mprotect(nint address, nuint length, int protection);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int madvise(nint address, nuint length, int advice);

    /// <summary>Seconds and nanoseconds, 64 bits each on the architectures that <see cref="LinuxOnly"/> admits.</summary>
    [LibraryImport(Library, SetLastError = true)]
    public static partial int clock_gettime(int clock, long* time);
}
