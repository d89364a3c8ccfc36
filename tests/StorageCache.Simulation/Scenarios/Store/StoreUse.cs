namespace StorageCache.Simulation.Scenarios.Store;

/// <summary>What a client wants of the store, which decides what it may fail with.</summary>
internal enum StoreUse
{
    /// <summary>Opening, and reading all that is there.</summary>
    Open,

    /// <summary>Gets, copies, scans.</summary>
    Read,

    /// <summary>Batches and puts.</summary>
    Change,

    /// <summary>Checkpoints, and the one that closing makes.</summary>
    Checkpoint,

    /// <summary>Flushes of the log.</summary>
    Flush,

    /// <summary>Checks of everything.</summary>
    Check,
}
