namespace StorageCache;

/// <summary>Where a mapping is in its life.</summary>
public enum MappingState
{
    /// <summary>In use.</summary>
    Open,

    /// <summary>
    /// A sync of the file failed: what was written since the last good one may be lost. Pages can be read; nothing can be
    /// written or flushed. Only closing, and recovery by the engine above, ends this state.
    /// </summary>
    Failed,

    /// <summary>Being closed: no new leases are given.</summary>
    Closing,

    /// <summary>Closed.</summary>
    Closed,
}
