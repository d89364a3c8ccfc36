using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using StorageCache.Platform;

namespace StorageCache.IO;

internal sealed partial class FileBlockDevice
{
    /// <summary>Bytes: what is assumed where direct I/O works but the kernel does not name its alignment. No block device has larger blocks in common use.</summary>
    private const int AssumedAlignment = 4096;

    /// <summary>Read and write for everyone, less the process's umask: what the runtime's own files get.</summary>
    private const uint CreationMode = 0x1b6;

    /// <summary>Opens a file, without locking it: the caller looks at <see cref="Identity"/> first, then calls <see cref="TryLock"/>.</summary>
    /// <param name="path">Path of a regular file or block device; relative to the current directory if it is not absolute.</param>
    /// <param name="mode">Whether the file may or must be created. A created file's directory entry is durable on return.</param>
    /// <param name="isReadOnly">Open for reading only; the mode must be <see cref="FileOpenMode.Open"/>.</param>
    /// <param name="pageSize">Bytes, a power of two. Direct I/O is used only if its alignment divides it.</param>
    /// <param name="engine">Runs submitted requests; not owned.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="DirectoryNotFoundException">The file's directory does not exist.</exception>
    /// <exception cref="UnauthorizedAccessException">Permission is denied.</exception>
    /// <exception cref="BlockIOException">Anything else: the path is a directory, the file to be created exists, ...</exception>
    /// <exception cref="PlatformNotSupportedException">Not Linux on x64 or arm64.</exception>
    public static FileBlockDevice Open(string path, FileOpenMode mode, bool isReadOnly, int pageSize, IIoEngine engine)
    {
        LinuxOnly.Demand();
        if (isReadOnly && mode != FileOpenMode.Open)
        {
            throw new ArgumentException("A file that is opened read-only cannot be created.", nameof(mode));
        }

        string fullPath = Path.GetFullPath(path);
        SafeFileHandle file = OpenDescriptor(fullPath, mode, isReadOnly, out bool created);
        try
        {
            int errno = Stat(file, out FileStatus status);
            if (errno != 0)
            {
                throw BlockIOException.For("open", fullPath, errno);
            }

            if (!status.IsRegularFile && !status.IsBlockDevice)
            {
                throw status.IsDirectory
                    ? BlockIOException.For("open", fullPath, Errno.EISDIR)
                    : new BlockIOException($"Cannot open '{fullPath}': it is neither a regular file nor a block device.", Errno.EINVAL);
            }

            int directAlignment = ChooseDirectAlignment(file, status, pageSize);
            directAlignment = SetFlags(file, fullPath, directAlignment);
            if (created)
            {
                SyncDirectory(fullPath);
            }

            return new FileBlockDevice(fullPath, file, status, isReadOnly, directAlignment, engine);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static SafeFileHandle OpenDescriptor(string path, FileOpenMode mode, bool isReadOnly, out bool created)
    {
        // Non-blocking, because opening a FIFO for reading would wait for a writer; taken back once the node is known to be a file.
        int flags = (isReadOnly ? LibC.O_RDONLY : LibC.O_RDWR) | LibC.O_CLOEXEC | LibC.O_NONBLOCK;

        // O_CREAT alone does not tell whether the file was there; only a created one needs its directory synchronized. The file may come
        // and go between the two attempts, so they are repeated; a dangling symbolic link fails both for ever and gets O_CREAT alone.
        for (int attempt = 0; ; attempt++)
        {
            int errno = Errno.ENOENT;
            if (mode != FileOpenMode.CreateNew)
            {
                created = false;
                if (TryOpen(path, flags, out SafeFileHandle? file, out errno))
                {
                    return file;
                }
            }

            if (mode != FileOpenMode.Open && errno == Errno.ENOENT)
            {
                created = true;
                bool last = mode == FileOpenMode.OpenOrCreate && attempt == 3;
                if (TryOpen(path, flags | LibC.O_CREAT | (last ? 0 : LibC.O_EXCL), out SafeFileHandle? file, out errno))
                {
                    return file;
                }

                if (mode == FileOpenMode.OpenOrCreate && errno == Errno.EEXIST && !last)
                {
                    continue;
                }
            }

            throw OpenFailure(path, errno);
        }
    }

    private static bool TryOpen(string path, int flags, [NotNullWhen(true)] out SafeFileHandle? file, out int errno)
    {
        int descriptor;
        do
        {
            descriptor = LibC.open(path, flags, CreationMode);
            errno = descriptor < 0 ? Errno.Last : 0;
        }
        while (errno == Errno.EINTR);

        file = descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
        return file is not null;
    }

    // The runtime's own exception types where it has any: that is what callers catch.
    private static Exception OpenFailure(string path, int errno)
    {
        string message = $"Cannot open '{path}': {Errno.Describe(errno)}.";
        return errno switch
        {
            Errno.ENOENT when Path.GetDirectoryName(path) is { } directory && !Directory.Exists(directory) => new DirectoryNotFoundException(message),
            Errno.ENOENT => new FileNotFoundException(message, path),
            Errno.EACCES or Errno.EPERM => new UnauthorizedAccessException(message),
            _ => new BlockIOException(message, errno),
        };
    }

    private static unsafe int Stat(SafeFileHandle file, out FileStatus status)
    {
        byte empty = 0;
        fixed (FileStatus* pointer = &status)
        {
            int result = LibC.statx(file, &empty, LibC.AT_EMPTY_PATH, LibC.STATX_BASIC_STATS | LibC.STATX_DIOALIGN, pointer);
            return result == 0 ? 0 : Errno.Last;
        }
    }

    private static FileIdentity IdentityOf(in FileStatus status) => status.IsBlockDevice
        ? new FileIdentity(status.NodeDeviceMajor, status.NodeDeviceMinor, 0)
        : new FileIdentity(status.DeviceMajor, status.DeviceMinor, status.Inode);

    /// <summary>Alignment in bytes for direct I/O; 0 where it cannot be had, or does not fit the page size.</summary>
    private static unsafe int ChooseDirectAlignment(SafeFileHandle file, in FileStatus status, int pageSize)
    {
        long alignment = AssumedAlignment;
        if ((status.Mask & LibC.STATX_DIOALIGN) != 0)
        {
            if (status.DirectOffsetAlignment == 0)
            {
                return 0;
            }

            alignment = Math.Max(status.DirectMemoryAlignment, status.DirectOffsetAlignment);
        }
        else
        {
            // File systems that live in memory accept O_DIRECT and ignore it: their page cache is their storage. Say what is true.
            FileSystemStatus fileSystem;
            if (LibC.fstatfs(file, &fileSystem) == 0 && fileSystem.Type is LibC.TMPFS_MAGIC or LibC.RAMFS_MAGIC)
            {
                return 0;
            }
        }

        return BitOperations.IsPow2(alignment) && alignment <= pageSize ? (int)alignment : 0;
    }

    /// <summary>Makes the descriptor blocking, and direct if an alignment is given and the file system agrees.</summary>
    /// <returns>The alignment, or 0 if the file system does not agree.</returns>
    /// <remarks>
    /// Flags are changed on the open descriptor rather than by opening again: between two opens the path may come to mean another file,
    /// and a refused <c>open(O_CREAT | O_DIRECT)</c> leaves the file behind.
    /// </remarks>
    private static unsafe int SetFlags(SafeFileHandle file, string path, int directAlignment)
    {
        int flags = LibC.fcntl(file, LibC.F_GETFL, 0);
        if (flags >= 0)
        {
            flags &= ~LibC.O_NONBLOCK;
            if (directAlignment > 0 && LibC.fcntl(file, LibC.F_SETFL, flags | LibC.O_DIRECT) == 0)
            {
                // Some file systems accept the flag and refuse the transfer. Better to hear it now than with the first page.
                byte* probe = (byte*)NativeMemory.AlignedAlloc((nuint)directAlignment, (nuint)directAlignment);
                nint read = LibC.pread(file, probe, (nuint)directAlignment, 0);
                bool refused = read < 0 && Errno.Last == Errno.EINVAL;
                NativeMemory.AlignedFree(probe);
                if (!refused)
                {
                    return directAlignment;
                }
            }

            if (LibC.fcntl(file, LibC.F_SETFL, flags) == 0)
            {
                return 0;
            }
        }

        throw BlockIOException.For("set the flags of", path, Errno.Last);
    }

    // A new file survives a power failure only if its directory does too.
    private static void SyncDirectory(string path)
    {
        string directory = Path.GetDirectoryName(path) ?? "/";
        if (TryOpen(directory, LibC.O_RDONLY | LibC.O_DIRECTORY | LibC.O_CLOEXEC, out SafeFileHandle? file, out int errno))
        {
            using (file)
            {
                errno = FileSync(file, dataOnly: false);
            }
        }

        // A directory that may be written but not read cannot be opened, and some file systems have no directories to synchronize.
        // Neither is a reason to refuse the file.
        if (errno is not (0 or Errno.EACCES or Errno.EINVAL))
        {
            throw BlockIOException.For("synchronize the directory", directory, errno);
        }
    }
}
