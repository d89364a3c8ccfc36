using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace StorageCache.Platform.Native;

internal static unsafe partial class NativeMethods
{
    /// <summary>What direct I/O has to be aligned to, in bytes; 0 when the file refuses it. <c>-EOPNOTSUPP</c> when the kernel does not tell.</summary>
    [LibraryImport(Library, EntryPoint = "sc_dio_alignment")]
    public static partial int DirectAlignment(SafeFileHandle file, uint* memory, uint* offset);

    /// <summary>The extents of a file in a range, in order. Returns how many; exactly <paramref name="capacity"/> means that there may be more.</summary>
    /// <param name="file">An open file.</param>
    /// <param name="start">Bytes from its start.</param>
    /// <param name="length">Bytes, at least 1; <see cref="ulong.MaxValue"/> for all.</param>
    /// <param name="flags">How.</param>
    /// <param name="extents">Where they are written to.</param>
    /// <param name="capacity">How many fit there.</param>
    [LibraryImport(Library, EntryPoint = "sc_extents")]
    public static partial int Extents(
        SafeFileHandle file, ulong start, ulong length, ExtentQueryFlags flags, FileExtent* extents, uint capacity);

    /// <summary>Makes a file a clone of another: all its bytes, in shared blocks.</summary>
    [LibraryImport(Library, EntryPoint = "sc_clone")]
    public static partial int Clone(SafeFileHandle source, SafeFileHandle destination);

    /// <summary>The same for a range of whole blocks; <paramref name="length"/> 0 for the rest of <paramref name="source"/>.</summary>
    [LibraryImport(Library, EntryPoint = "sc_clone_range")]
    public static partial int CloneRange(
        SafeFileHandle source, ulong sourceOffset, ulong length, SafeFileHandle destination, ulong destinationOffset);

    /// <summary>Reads, and returns the bytes read.</summary>
    [LibraryImport(Library, EntryPoint = "sc_read_at")]
    public static partial long ReadAt(SafeFileHandle file, IoVector* buffers, uint count, ulong offset, TransferFlags flags);

    /// <summary>Writes, and returns the bytes written.</summary>
    [LibraryImport(Library, EntryPoint = "sc_write_at")]
    public static partial long WriteAt(SafeFileHandle file, IoVector* buffers, uint count, ulong offset, TransferFlags flags);

    /// <summary>Data and metadata are on stable storage when it returns 0. A failed one must not be repeated.</summary>
    [LibraryImport(Library, EntryPoint = "sc_fsync")]
    public static partial int Fsync(SafeFileHandle file);

    /// <summary>Data and what is needed to find it are on stable storage when it returns 0. A failed one must not be repeated.</summary>
    [LibraryImport(Library, EntryPoint = "sc_fdatasync")]
    public static partial int FdataSync(SafeFileHandle file);
}
