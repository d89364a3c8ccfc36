namespace StorageCache.KeyValueStore;

/// <summary>What opening a store has done to bring it to where it was.</summary>
public sealed record RecoveryReport
{
    /// <summary>A store that was closed, or is new: there was nothing to do.</summary>
    internal static RecoveryReport None { get; } = new();

    /// <summary>Whether the store had not been closed, so that its log was read.</summary>
    public bool WasNeeded { get; init; }

    /// <summary>LSN at which redo began: that of the last checkpoint. A position in the log, in bytes.</summary>
    public ulong RedoPoint { get; init; }

    /// <summary>LSN at which the log ended.</summary>
    public ulong EndLsn { get; init; }

    /// <summary>Commits that were found complete, and done again.</summary>
    public long Commits { get; init; }

    /// <summary>Changes of pages that were done again.</summary>
    public long PageChanges { get; init; }

    /// <summary>Bytes of log between the redo point and the end.</summary>
    public long LogBytes => (long)(EndLsn - RedoPoint);

    /// <summary>How long it took.</summary>
    public TimeSpan Duration { get; init; }
}
