using System.Diagnostics;
using System.Runtime.CompilerServices;
using HdrHistogram;

namespace StorageCache.Workloads.Wait;

/// <summary>
/// Times wakes whose waiter resumes on the waking thread. One continuation serves every wait, so measuring allocates
/// nothing. Used from one thread.
/// </summary>
internal sealed class WakeTimer
{
    private const long LongestNanoseconds = 10_000_000_000;
    private const int SignificantDigits = 3;

    private readonly LongHistogram _histogram = new(LongestNanoseconds, SignificantDigits);
    private long _start;
    private long _resumed;
    private long _allocatedBefore;
    private long _allocated;

    /// <summary>Makes a timer.</summary>
    public WakeTimer() => Continuation = OnResumed;

    /// <summary>What a waiter runs when it resumes.</summary>
    public Action Continuation { get; }

    /// <summary>Forgets what was recorded and begins to count allocations.</summary>
    public void Begin()
    {
        _histogram.Reset();
        _allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
    }

    /// <summary>Stops counting allocations.</summary>
    public void End() => _allocated = GC.GetAllocatedBytesForCurrentThread() - _allocatedBefore;

    /// <summary>Called right before a release.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Start()
    {
        _resumed = 0;
        _start = Stopwatch.GetTimestamp();
    }

    /// <summary>Called right after a release: records how long it took until the waiter had resumed.</summary>
    /// <exception cref="WorkloadFailedException">Nobody has resumed.</exception>
    public void Record()
    {
        if (_resumed == 0)
        {
            throw new WorkloadFailedException("a waiter did not resume on the thread that released its page.");
        }

        _histogram.RecordValue(Math.Clamp((long)((_resumed - _start) * (1e9 / Stopwatch.Frequency)), 1, LongestNanoseconds));
    }

    /// <summary>What was recorded since <see cref="Begin"/>.</summary>
    public WakeResult Result(double examinedPerWake) => new(
        _histogram.GetValueAtPercentile(50),
        _histogram.GetValueAtPercentile(99),
        examinedPerWake,
        (double)_allocated / _histogram.TotalCount);

    private void OnResumed() => _resumed = Stopwatch.GetTimestamp();
}
