using Microsoft.Win32.SafeHandles;

namespace StorageCache.Platform;

/// <content>Two views of the same memory, one of which cannot be written.</content>
internal sealed unsafe partial class MemoryRegion
{
    private const string ForGuarded = $"for {nameof(PageCacheOptions)}.{nameof(PageCacheOptions.Guarded)}";

    /// <summary>
    /// What takes memory away: from private memory by forgetting it, from memory with several views by a hole in what they are views of (F-8).
    /// </summary>
    private int Discarding => IsGuarded ? LibC.MADV_REMOVE : LibC.MADV_DONTNEED;

    /// <summary>
    /// As <see cref="Reserve"/>, with a view of its own for reading at <see cref="ReadBase"/> (P-20). Such a region is committed from its
    /// start on. Memory comes with the first touch of either view: also a read of what has been discarded takes some.
    /// </summary>
    /// <param name="bytes">At least this many bytes, greater than 0; rounded up to <see cref="BaseAlignment"/>.</param>
    /// <param name="hugePages">What <see cref="AdviseHuge"/> is told at first.</param>
    /// <exception cref="InsufficientMemoryException">The kernel has no two such ranges to give (address space limit).</exception>
    /// <exception cref="IOException">The kernel gives no memory that can be mapped twice, or the process may not have that much.</exception>
    /// <exception cref="PlatformNotSupportedException">Not Linux on x64 or arm64.</exception>
    public static MemoryRegion ReserveGuarded(long bytes, bool hugePages)
    {
        LinuxOnly.Demand();
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, long.MaxValue / 2);

        long size = RoundUp(bytes, BaseAlignment);

        // Closed once it is mapped: nobody in the process can come by another writable view (P-21), and caches take no descriptors.
        using SafeFileHandle file = CreateShared(size);
        byte* start = MapShared(file, size);
        byte* readStart;
        try
        {
            readStart = MapShared(file, size);
        }
        catch
        {
            _ = LibC.munmap((nint)start, (nuint)size);
            throw;
        }

        MemoryRegion region = new(start, readStart, size);
        region.Prepare(hugePages);
        return region;
    }

    /// <summary>
    /// Asks for the memory of a committed range that is about to be written, where a touch could find the kernel without and end the process:
    /// memory with several views is not promised ahead. Does nothing in a region that is not guarded, or on a kernel before 5.14.
    /// </summary>
    /// <param name="offset">Bytes from <see cref="Base"/>.</param>
    /// <param name="length">Bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the region.</exception>
    /// <exception cref="InsufficientMemoryException">The kernel has no more (strict overcommit).</exception>
    public void Provide(long offset, long length)
    {
        Check(offset, length);
        if (!IsGuarded)
        {
            return;
        }

        long page = Environment.SystemPageSize;
        long start = offset / page * page;
        long end = RoundUp(offset + length, page);
        while (LibC.madvise((nint)(Base + start), (nuint)(end - start), LibC.MADV_POPULATE_WRITE) != 0)
        {
            int errno = Errno.Last;
            if (errno is Errno.ENOMEM or Errno.EFAULT)
            {
                Throw("provide", length, Errno.ENOMEM);
            }

            if (errno is not (Errno.EINTR or Errno.EAGAIN))
            {
                // The kernel does not know how to be asked; the touch will show.
                break;
            }
        }

        GC.KeepAlive(this);
    }

    /// <summary>Memory without a name, of which nobody can change the size.</summary>
    private static SafeFileHandle CreateShared(long size)
    {
        // A limit on the size of files holds for this one too, and the kernel kills those who run into it.
        ResourceLimit limit;
        if (LibC.getrlimit(LibC.RLIMIT_FSIZE, &limit) == 0 && limit.Current < (ulong)size)
        {
            Throw($"size ({ForGuarded}; RLIMIT_FSIZE is {limit.Current:N0} bytes)", size, Errno.EFBIG);
        }

        // Kernels from 6.3 on want to be told whether it is for code, and older ones do not know the flag.
        const uint Flags = LibC.MFD_CLOEXEC | LibC.MFD_ALLOW_SEALING;
        int descriptor = LibC.memfd_create("storagecache", Flags | LibC.MFD_NOEXEC_SEAL);
        if (descriptor < 0 && Errno.Last == Errno.EINVAL)
        {
            descriptor = LibC.memfd_create("storagecache", Flags);
        }

        if (descriptor < 0)
        {
            Throw($"create ({ForGuarded}, by memfd_create)", size, Errno.Last);
        }

        SafeFileHandle file = new(descriptor, ownsHandle: true);

        // Sealed, the views cannot come to reach beyond the end, where a touch would be a fault.
        if (LibC.ftruncate(file, size) != 0 || LibC.fcntl(file, LibC.F_ADD_SEALS, LibC.F_SEAL_SEAL | LibC.F_SEAL_SHRINK | LibC.F_SEAL_GROW) != 0)
        {
            int errno = Errno.Last;
            file.Dispose();
            Throw($"size ({ForGuarded})", size, errno);
        }

        return file;
    }

    /// <summary>A view that nothing may touch.</summary>
    private static byte* MapShared(SafeFileHandle file, long size)
    {
        const string Mapping = $"map twice ({ForGuarded})";
        byte* start = ReserveAligned(size, Mapping);
        nint mapped = LibC.mmap(
            (nint)start, (nuint)size, LibC.PROT_NONE, LibC.MAP_SHARED | LibC.MAP_NORESERVE | LibC.MAP_FIXED, (int)file.DangerousGetHandle(), 0);
        if (mapped == LibC.MAP_FAILED)
        {
            int errno = Errno.Last;
            _ = LibC.munmap((nint)start, (nuint)size);
            Throw(Mapping, size, errno);
        }

        return start;
    }
}
