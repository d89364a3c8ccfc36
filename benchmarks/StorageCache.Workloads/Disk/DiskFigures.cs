namespace StorageCache.Workloads.Disk;

/// <summary>What one measured stretch of I/O came to.</summary>
/// <param name="Operations">Completed operations.</param>
/// <param name="Bytes">Bytes transferred.</param>
/// <param name="Seconds">Wall-clock time.</param>
/// <param name="CpuSeconds">Processor time of the whole process, user and system.</param>
/// <param name="AllocatedBytes">Managed bytes allocated meanwhile; 0 where that is not known.</param>
internal readonly record struct DiskFigures(long Operations, long Bytes, double Seconds, double CpuSeconds, long AllocatedBytes)
{
    /// <summary>Operations per second.</summary>
    public double PerSecond => Operations / Seconds;

    /// <summary>Microseconds per operation, one at a time.</summary>
    public double LatencyMicroseconds => Seconds * 1e6 / Operations;

    /// <summary>Microseconds of processor time per operation.</summary>
    public double CpuMicroseconds => CpuSeconds * 1e6 / Operations;

    /// <summary>Megabytes (10^6 bytes) per second.</summary>
    public double MegabytesPerSecond => Bytes / Seconds / 1e6;
}
