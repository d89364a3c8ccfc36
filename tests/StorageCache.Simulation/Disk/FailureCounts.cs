namespace StorageCache.Simulation.Disk;

/// <summary>How many requests of a file have failed, or, of writes, have written less than they were to.</summary>
/// <param name="Reads">Reads.</param>
/// <param name="Writes">Writes.</param>
/// <param name="Flushes">Flushes.</param>
/// <param name="Changes">Changes of length, and holes.</param>
internal readonly record struct FailureCounts(long Reads, long Writes, long Flushes, long Changes)
{
    /// <summary>Those since another count.</summary>
    public static FailureCounts operator -(FailureCounts now, FailureCounts then) =>
        new(now.Reads - then.Reads, now.Writes - then.Writes, now.Flushes - then.Flushes, now.Changes - then.Changes);
}
