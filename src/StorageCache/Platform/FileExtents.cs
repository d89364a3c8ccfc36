using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using StorageCache.Platform.Native;

namespace StorageCache.Platform;

/// <summary>Where a file's bytes lie (<c>FS_IOC_FIEMAP</c>), asked through the native library where there is one, else through the C library.</summary>
/// <remarks>Both ways give the same answers (I/O-26). All members may be called from any thread.</remarks>
internal static unsafe class FileExtents
{
    /// <summary>Extents that one call can be asked for: the kernel writes them to the stack, 7 KiB of it.</summary>
    public const int MostAtOnce = 128;

    /// <summary>The extents in a range of a file, in order; holes are what lies between them. The first may begin before the range, the last end behind it.</summary>
    /// <param name="file">An open file.</param>
    /// <param name="start">Bytes from its start.</param>
    /// <param name="length">Bytes, at least 1.</param>
    /// <param name="flags">How.</param>
    /// <param name="extents">Where they are written to: 1 to <see cref="MostAtOnce"/>.</param>
    /// <returns>
    /// How many were written, or a negative error number, <c>-EOPNOTSUPP</c> if the file system cannot tell. As many as fit means that there
    /// may be more, unless the last one is the <see cref="ExtentFlags.Last"/>.
    /// </returns>
    public static int Get(SafeFileHandle file, ulong start, ulong length, ExtentQueryFlags flags, Span<FileExtent> extents) =>
        NativeLibraryLoader.Current.Has(NativeCapabilities.Extents)
            ? GetByNativeLibrary(file, start, length, flags, extents)
            : GetByLibC(file, start, length, flags, extents);

    /// <summary><see cref="Get"/> through the native library, which must be there.</summary>
    public static int GetByNativeLibrary(SafeFileHandle file, ulong start, ulong length, ExtentQueryFlags flags, Span<FileExtent> extents)
    {
        fixed (FileExtent* pointer = extents)
        {
            return NativeMethods.Extents(file, start, length, flags, pointer, (uint)extents.Length);
        }
    }

    /// <summary><see cref="Get"/> through the C library.</summary>
    [SkipLocalsInit]
    public static int GetByLibC(SafeFileHandle file, ulong start, ulong length, ExtentQueryFlags flags, Span<FileExtent> extents)
    {
        Debug.Assert(extents.Length is > 0 and <= MostAtOnce, "what the kernel writes has to fit on the stack");
        ulong* buffer = stackalloc ulong[(sizeof(FiemapHeader) + (extents.Length * sizeof(FiemapExtent))) / sizeof(ulong)];
        FiemapHeader* header = (FiemapHeader*)buffer;
        *header = new FiemapHeader
        {
            Start = start,
            Length = length,
            Flags = (flags & ExtentQueryFlags.Sync) != 0 ? LibC.FIEMAP_FLAG_SYNC : 0,
            ExtentCount = (uint)extents.Length,
        };
        if (LibC.ioctl(file, LibC.FS_IOC_FIEMAP, header) != 0)
        {
            int errno = Errno.Last;

            // A file system that has no ioctls at all means the same as one that has not this one.
            return errno == Errno.ENOTTY ? -Errno.EOPNOTSUPP : -errno;
        }

        FiemapExtent* from = (FiemapExtent*)(header + 1);
        int count = (int)Math.Min(header->MappedExtents, (uint)extents.Length);
        for (int i = 0; i < count; i++)
        {
            extents[i] = new FileExtent
            {
                Logical = from[i].Logical,
                Physical = from[i].Physical,
                Length = from[i].Length,
                Flags = Translate(from[i].Flags),
            };
        }

        return count;
    }

    private static ExtentFlags Translate(FiemapExtentFlags flags)
    {
        ExtentFlags result = ExtentFlags.None;
        Take(FiemapExtentFlags.Last, ExtentFlags.Last);
        Take(FiemapExtentFlags.Unknown, ExtentFlags.Unknown);
        Take(FiemapExtentFlags.DelayedAllocation, ExtentFlags.Delayed);
        Take(FiemapExtentFlags.Encoded, ExtentFlags.Encoded);
        Take(FiemapExtentFlags.DataEncrypted, ExtentFlags.Encrypted);
        Take(FiemapExtentFlags.NotAligned, ExtentFlags.NotAligned);
        Take(FiemapExtentFlags.DataInline, ExtentFlags.Inline);
        Take(FiemapExtentFlags.DataTail, ExtentFlags.Tail);
        Take(FiemapExtentFlags.Unwritten, ExtentFlags.Unwritten);
        Take(FiemapExtentFlags.Merged, ExtentFlags.Merged);
        Take(FiemapExtentFlags.Shared, ExtentFlags.Shared);
        return flags == FiemapExtentFlags.None ? result : result | ExtentFlags.Other;

        void Take(FiemapExtentFlags from, ExtentFlags to)
        {
            if ((flags & from) != 0)
            {
                result |= to;
                flags &= ~from;
            }
        }
    }
}
