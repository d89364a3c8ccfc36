using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using StorageCache.Workloads.Disk;

namespace StorageCache.Workloads.Miss;

/// <summary>The same reads by the runtime's own <see cref="RandomAccess"/>, on a descriptor with direct I/O.</summary>
internal static partial class RandomAccessReads
{
    private const int ReadOnly = 0;
    private const int CloseOnExec = 0x80000;

    private static int Direct => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x10000 : 0x4000;

    /// <summary>Reads random pages, so many at a time, each awaited.</summary>
    public static async Task<DiskFigures> RunAsync(StampedFile file, int depth, TimeSpan duration, int seed)
    {
        using SafeFileHandle handle = OpenDirect(file.Path);
        long end = Environment.TickCount64 + (long)duration.TotalMilliseconds;
        DiskMeter meter = new();
        Task<long>[] workers = new Task<long>[depth];
        for (int i = 0; i < depth; i++)
        {
            workers[i] = ReadAsync(handle, file.Pages, new Random(seed + i), end);
        }

        long reads = (await Task.WhenAll(workers)).Sum();
        return meter.Stop(reads, reads * StampedFile.PageSize);
    }

    private static async Task<long> ReadAsync(SafeFileHandle handle, long pages, Random random, long end)
    {
        Memory<byte> buffer = AlignedPage();
        long reads = 0;
        for (; Environment.TickCount64 < end; reads++)
        {
            long page = random.NextInt64(pages);
            int bytes = await RandomAccess.ReadAsync(handle, buffer, page * StampedFile.PageSize).ConfigureAwait(false);
            if (bytes != StampedFile.PageSize)
            {
                throw new WorkloadFailedException($"a read of page {page} brought {bytes} bytes");
            }

            StampedFile.Check(buffer.Span, page);
        }

        return reads;
    }

    /// <summary>A buffer that direct I/O takes: .NET aligns arrays to words only.</summary>
    private static unsafe Memory<byte> AlignedPage()
    {
        byte[] bytes = GC.AllocateUninitializedArray<byte>(2 * StampedFile.PageSize, pinned: true);
        nuint address = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(bytes));
        return bytes.AsMemory((int)(StampedFile.PageSize - (address % StampedFile.PageSize)), StampedFile.PageSize);
    }

    /// <summary>.NET has no option for direct I/O on Linux.</summary>
    private static SafeFileHandle OpenDirect(string path)
    {
        int descriptor = Open(path, ReadOnly | CloseOnExec | Direct);
        return descriptor >= 0
            ? new SafeFileHandle(descriptor, ownsHandle: true)
            : throw new WorkloadFailedException($"cannot open {path} with direct I/O: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);
}
