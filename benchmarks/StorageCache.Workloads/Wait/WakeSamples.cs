using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Wait;

/// <summary>The figures of one variant's rounds of wakes.</summary>
internal sealed class WakeSamples
{
    private readonly RoundSamples _examined = new();
    private readonly RoundSamples _allocated = new();

    /// <summary>Each round's median, in nanoseconds.</summary>
    public RoundSamples Median { get; } = new();

    /// <summary>Each round's 99th percentile, in nanoseconds.</summary>
    public RoundSamples P99 { get; } = new();

    /// <summary>Adds a round.</summary>
    public void Add(WakeResult round)
    {
        Median.Add(round.MedianNanoseconds);
        P99.Add(round.P99Nanoseconds);
        _examined.Add(round.ExaminedPerWake);
        _allocated.Add(round.AllocatedBytes);
    }

    /// <summary>Adds the metrics under a common first part of their names.</summary>
    public void Report(Report report, string name, Target? examinedTarget, Target? allocatedTarget)
    {
        report.Add($"{name}.p50_ns", Median, "ns");
        report.Add($"{name}.p99_ns", P99, "ns");
        report.Add($"{name}.examined_per_wake", _examined, "waiters", examinedTarget);
        report.Add($"{name}.alloc_bytes", _allocated, "bytes", allocatedTarget);
    }
}
