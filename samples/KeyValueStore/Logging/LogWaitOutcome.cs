namespace StorageCache.KeyValueStore.Logging;

/// <summary>How a wait for an LSN has ended.</summary>
internal enum LogWaitOutcome
{
    /// <summary>It has not.</summary>
    Waiting,

    /// <summary>The LSN is reached.</summary>
    Reached,

    /// <summary>It was cancelled.</summary>
    Cancelled,

    /// <summary>The log has failed.</summary>
    Failed,

    /// <summary>The log has been disposed of.</summary>
    Disposed,
}
