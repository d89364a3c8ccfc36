using StorageCache.Simulation.Disk;

namespace StorageCache.Simulation.Kernel;

/// <summary>A system to be simulated, with clients that use it and an oracle that knows what it promises. Immutable.</summary>
internal interface IScenario
{
    /// <summary>What the command line calls it.</summary>
    string Name { get; }

    /// <summary>One sentence.</summary>
    string Description { get; }

    /// <summary>The faults that the system has to live with, of which each seed draws some. Losses of power come in any case.</summary>
    IReadOnlyList<Fault> Faults { get; }

    /// <summary>Whether some processes end without a loss of power.</summary>
    bool EndsProcesses => false;

    /// <summary>Begins the simulation of one seed.</summary>
    IScenarioRun Begin(World world);
}
