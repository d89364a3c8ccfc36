namespace StorageCache.Simulation.Kernel;

/// <summary>
/// One system through all its processes, with its clients and its oracle. The driver awaits what is begun here by letting events happen;
/// what fails with anything is a violation. Not thread-safe.
/// </summary>
internal interface IScenarioRun
{
    /// <summary>Begins a process: opens what the disk holds, recovers it and holds it against the oracle. Tries again while the disk fails.</summary>
    Task OpenAsync();

    /// <summary>
    /// Draws the next operation of a client and begins it; null if there is none now. It ends well if the system does as it promises, which
    /// includes errors that the disk has given it cause for.
    /// </summary>
    Operation? BeginOperation();

    /// <summary>
    /// Ends the last process in order. Faults have ended, and so have all operations: the system is to be live again, and to hold what it
    /// should.
    /// </summary>
    Task CloseAsync();

    /// <summary>The power has gone, or the process has ended: gives back what the process held of the real machine. Nothing of it runs any more.</summary>
    void Abandon();
}
