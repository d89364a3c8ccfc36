namespace StorageCache.Frames;

/// <summary>
/// The hard memory limit: every byte of frames and metadata is charged here before it is touched. Thread-safe.
/// </summary>
/// <remarks>Invariant F-1: <c>Used &lt;= Limit</c>, except while a lowered limit is being reached.</remarks>
internal sealed class MemoryBudget
{
    private long _limit;
    private long _used;

    public MemoryBudget(long limit) => _limit = limit;

    /// <summary>The limit in bytes.</summary>
    public long Limit => Volatile.Read(ref _limit);

    /// <summary>Bytes charged.</summary>
    public long Used => Volatile.Read(ref _used);

    /// <summary>Bytes charged above the limit, after the limit was lowered; zero otherwise.</summary>
    public long Excess => Math.Max(0, Used - Limit);

    /// <summary>Bytes that can still be charged.</summary>
    public long Available => Math.Max(0, Limit - Used);

    /// <summary>Charges <paramref name="bytes"/> unless that would exceed the limit.</summary>
    public bool TryCharge(long bytes)
    {
        long used = Volatile.Read(ref _used);
        while (used + bytes <= Volatile.Read(ref _limit))
        {
            long seen = Interlocked.CompareExchange(ref _used, used + bytes, used);
            if (seen == used)
            {
                return true;
            }

            used = seen;
        }

        return false;
    }

    /// <summary>Gives back what was charged.</summary>
    public void Release(long bytes) => Interlocked.Add(ref _used, -bytes);

    /// <summary>Sets another limit. What is charged stays charged; see <see cref="Excess"/>.</summary>
    public void SetLimit(long limit) => Volatile.Write(ref _limit, limit);
}
