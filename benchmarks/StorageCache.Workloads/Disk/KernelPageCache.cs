using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace StorageCache.Workloads.Disk;

/// <summary>What the kernel's page cache holds of a file.</summary>
internal static unsafe partial class KernelPageCache
{
    private const int AdviseDontNeed = 4;
    private const int BufferBytes = 1 << 20;

    /// <summary>Reads a file through the kernel's page cache, as a program would that does no direct I/O.</summary>
    public static void Read(string path)
    {
        byte[] buffer = new byte[BufferBytes];
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        while (file.Read(buffer) > 0)
        {
        }
    }

    /// <summary>Bytes of a file that are in the kernel's page cache, by mincore(2).</summary>
    public static long ResidentBytes(string path)
    {
        long length = new FileInfo(path).Length;
        byte[] resident = new byte[(length + Environment.SystemPageSize - 1) / Environment.SystemPageSize];
        using MemoryMappedFile map = MemoryMappedFile.CreateFromFile(path, FileMode.Open, mapName: null, capacity: 0, MemoryMappedFileAccess.Read);
        using MemoryMappedViewAccessor view = map.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        SafeMemoryMappedViewHandle handle = view.SafeMemoryMappedViewHandle;
        byte* address = null;
        handle.AcquirePointer(ref address);
        try
        {
            fixed (byte* vector = resident)
            {
                if (MinCore(address, (nuint)length, vector) != 0)
                {
                    throw new WorkloadFailedException($"mincore of '{path}' failed with error {Marshal.GetLastPInvokeError()}");
                }
            }
        }
        finally
        {
            handle.ReleasePointer();
        }

        return resident.LongCount(page => (page & 1) != 0) * Environment.SystemPageSize;
    }

    /// <summary>Has the kernel forget what it holds of a file.</summary>
    public static void Forget(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        _ = Advise(file, 0, 0, AdviseDontNeed);
    }

    [LibraryImport("libc", EntryPoint = "mincore", SetLastError = true)]
    private static partial int MinCore(byte* address, nuint length, byte* vector);

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(SafeFileHandle file, long offset, long length, int advice);
}
