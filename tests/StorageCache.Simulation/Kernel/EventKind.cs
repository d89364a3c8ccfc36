namespace StorageCache.Simulation.Kernel;

/// <summary>What the driver lets happen next.</summary>
internal enum EventKind
{
    /// <summary>A request of the disk goes on.</summary>
    Disk,

    /// <summary>Background work takes a turn.</summary>
    Turn,

    /// <summary>A timer fires.</summary>
    Timer,

    /// <summary>A client goes on that has paused.</summary>
    GoOn,

    /// <summary>A client begins something.</summary>
    Operation,

    /// <summary>Time passes.</summary>
    Time,
}
