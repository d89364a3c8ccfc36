namespace StorageCache.Protection;

/// <summary>How often writers broke away, and why pages were not protected or shared. Thread-safe.</summary>
internal sealed class ProtectionCounters
{
    private readonly long[] _breaks = new long[Enum.GetValues<ProtectionReason>().Length];
    private readonly long[] _refusals = new long[Enum.GetValues<ProtectionRefusal>().Length];
    private long _lifted;

    /// <summary>Protections that a writer found nobody to rely on, and lifted without a copy.</summary>
    public long Lifted => Volatile.Read(ref _lifted);

    /// <summary>Breaks for all reasons.</summary>
    public long AllBreaks() => BreaksByReason().Sum();

    /// <summary>Breaks, in the order of <see cref="ProtectionReason"/>.</summary>
    public long[] BreaksByReason() => Array.ConvertAll(_breaks, count => count);

    /// <summary>Refusals, in the order of <see cref="ProtectionRefusal"/>.</summary>
    public long[] RefusalsByReason() => Array.ConvertAll(_refusals, count => count);

    public void Broke(ProtectionReason reason) => Interlocked.Increment(ref _breaks[(int)reason]);

    public void LiftedOne() => Interlocked.Increment(ref _lifted);

    public void Refused(ProtectionRefusal refusal) => Interlocked.Increment(ref _refusals[(int)refusal]);
}
