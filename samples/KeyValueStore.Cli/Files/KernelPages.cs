using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace StorageCache.KeyValueStore.Cli.Files;

/// <summary>A file as the kernel's page cache has it: read with buffered reads, and asked which of its pages are in memory.</summary>
/// <remarks>
/// Opened past the runtime, which would want the lock that the cache has on a store's file. Only the owner of a file, or who may write it,
/// learns from the kernel what is in memory; others are told that everything is.
/// </remarks>
internal sealed partial class KernelPages : IDisposable
{
    private const int ReadOnly = 0;
    private const int CloseOnExec = 0x80000;
    private const int ProtectNone = 0;
    private const int MapShared = 1;
    private const int DontNeed = 4;
    private const int ReadSize = 1 << 20;

    private readonly SafeFileHandle _file;

    private KernelPages(SafeFileHandle file) => _file = file;

    /// <summary>Bytes of the file.</summary>
    public long Length => RandomAccess.GetLength(_file);

    /// <exception cref="IOException">The file cannot be opened.</exception>
    public static KernelPages Open(string path)
    {
        SafeFileHandle file = new(OpenDescriptor(path, ReadOnly | CloseOnExec), ownsHandle: true);
        return file.IsInvalid ? throw Failure("open", path) : new KernelPages(file);
    }

    /// <summary>Reads the whole file with buffered reads.</summary>
    /// <param name="pageSize">Bytes that are passed on at a time, a power of two up to 64 KiB.</param>
    /// <param name="visit">Given each page in turn, with its number; the last may be short.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public void Read(int pageSize, Action<long, ReadOnlySpan<byte>> visit, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[ReadSize];
        long offset = 0;
        int read;
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            read = Fill(buffer, offset);
            for (int start = 0; start < read; start += pageSize)
            {
                visit((offset + start) / pageSize, buffer.AsSpan(start, Math.Min(pageSize, read - start)));
            }

            offset += read;
        }
        while (read == buffer.Length);
    }

    /// <summary>Bytes of the file that are in the kernel's page cache (<c>mincore</c>).</summary>
    /// <exception cref="IOException">The kernel does not say.</exception>
    public unsafe long CountResident()
    {
        long length = Length;
        if (length == 0)
        {
            return 0;
        }

        int pageSize = Environment.SystemPageSize;
        nint address = Map(0, (nuint)length, ProtectNone, MapShared, _file, 0);
        if (address == -1)
        {
            throw Failure("map", null);
        }

        try
        {
            byte[] pages = new byte[(length + pageSize - 1) / pageSize];
            fixed (byte* residence = pages)
            {
                if (InCore(address, (nuint)length, residence) != 0)
                {
                    throw Failure("ask for the resident pages of", null);
                }
            }

            // The lowest bit says so; the kernel keeps the others for itself.
            return Math.Min(length, (long)pageSize * pages.Count(page => (page & 1) != 0));
        }
        finally
        {
            _ = Unmap(address, (nuint)length);
        }
    }

    /// <summary>Has the kernel forget what it has in memory of the file. It may keep what is dirty, or mapped by others.</summary>
    public void Drop() => _ = Advise(_file, 0, 0, DontNeed);

    public void Dispose() => _file.Dispose();

    private int Fill(byte[] buffer, long offset)
    {
        int total = 0;
        int read;
        do
        {
            read = RandomAccess.Read(_file, buffer.AsSpan(total), offset + total);
            total += read;
        }
        while (read > 0 && total < buffer.Length);
        return total;
    }

    private static IOException Failure(string what, string? path) =>
        new($"Cannot {what} {(path is null ? "a file" : $"'{path}'")}: {Marshal.GetLastPInvokeErrorMessage()}");

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int OpenDescriptor(string path, int flags);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, SafeFileHandle file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "mincore", SetLastError = true)]
    private static unsafe partial int InCore(nint address, nuint length, byte* residence);

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(SafeFileHandle file, long offset, long length, int advice);
}
