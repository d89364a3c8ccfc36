using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Store;

/// <summary>
/// The key-value store on a disk that decays: what it gives is what was put, or it says that something is corrupt.
/// </summary>
internal sealed class RotScenario : IScenario
{
    /// <inheritdoc/>
    public string Name => "rot";

    /// <inheritdoc/>
    public string Description => "The key-value store on a disk whose bits change: wrong bytes are never given.";

    /// <inheritdoc/>
    public IReadOnlyList<Fault> Faults { get; } = [Fault.BitRot, Fault.TornWrite, Fault.WriteError, Fault.FlushError];

    /// <inheritdoc/>
    public IScenarioRun Begin(World world) => new StoreRun(world, canRot: true, canLie: false);
}
