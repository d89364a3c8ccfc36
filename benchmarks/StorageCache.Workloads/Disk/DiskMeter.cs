using System.Diagnostics;

namespace StorageCache.Workloads.Disk;

/// <summary>Reads the clocks before and after a stretch of I/O.</summary>
internal struct DiskMeter
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly TimeSpan _cpu = Environment.CpuUsage.TotalTime;
    private long _allocated = GC.GetTotalAllocatedBytes(precise: false);

    public DiskMeter()
    {
    }

    /// <summary>Counts allocations from here on: what has been made by now was needed to begin with.</summary>
    public void HasBegun() => _allocated = GC.GetTotalAllocatedBytes(precise: false);

    /// <summary>Figures from the creation of the meter until now.</summary>
    public readonly DiskFigures Stop(long operations, long bytes) => new(
        operations,
        bytes,
        Stopwatch.GetElapsedTime(_start).TotalSeconds,
        (Environment.CpuUsage.TotalTime - _cpu).TotalSeconds,
        GC.GetTotalAllocatedBytes(precise: false) - _allocated);
}
