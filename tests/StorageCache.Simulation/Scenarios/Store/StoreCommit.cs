namespace StorageCache.Simulation.Scenarios.Store;

/// <summary>A batch that has been committed. Not thread-safe.</summary>
internal sealed class StoreCommit(ulong lsn, IReadOnlyList<StoreChange> changes)
{
    /// <summary>Its place in the log.</summary>
    public ulong Lsn { get; } = lsn;

    /// <summary>What it does.</summary>
    public IReadOnlyList<StoreChange> Changes { get; } = changes;

    /// <summary>Whether the store has said that it survives the end of the process.</summary>
    public bool IsWritten { get; set; }

    /// <summary>Whether the store has said that it is durable.</summary>
    public bool IsDurable { get; set; }
}
