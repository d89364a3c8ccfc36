using System.Buffers;
using Microsoft.Win32.SafeHandles;
using StorageCache.Workloads.Disk;

namespace StorageCache.Workloads.Miss;

/// <summary>The same reads by the runtime's own <see cref="RandomAccess"/>, on a descriptor with direct I/O.</summary>
internal static class RandomAccessReads
{
    /// <summary>Linux's O_DIRECT on x64; FileOptions has no name for it, and passes unknown bits of 0x4000 on as it.</summary>
    private const FileOptions Direct = (FileOptions)0x4000;

    /// <summary>Reads random pages, so many at a time, each awaited.</summary>
    public static async Task<DiskFigures> RunAsync(StampedFile file, int depth, TimeSpan duration, int seed)
    {
        using SafeFileHandle handle = File.OpenHandle(file.Path, options: FileOptions.Asynchronous);
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
        byte[] buffer = GC.AllocateUninitializedArray<byte>(2 * StampedFile.PageSize, pinned: true);
        long reads = 0;
        for (; Environment.TickCount64 < end; reads++)
        {
            long page = random.NextInt64(pages);
            await RandomAccess.ReadAsync(handle, buffer.AsMemory(0, StampedFile.PageSize), page * StampedFile.PageSize).ConfigureAwait(false);
            StampedFile.Check(buffer, page);
        }

        return reads;
    }
}
