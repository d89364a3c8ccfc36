namespace StorageCache.Simulation.Scenarios.Register;

/// <summary>What is wrong with the system of a <see cref="RegisterScenario"/>.</summary>
internal enum RegisterBug
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>It acknowledges what it has not flushed.</summary>
    NoFlush,

    /// <summary>It believes in a flush that succeeds after another one's has failed.</summary>
    FlushAgain,

    /// <summary>It waits for something that never comes, after an error.</summary>
    Stall,
}
