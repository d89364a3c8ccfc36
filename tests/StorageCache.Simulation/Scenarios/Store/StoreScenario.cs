using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Store;

/// <summary>
/// The key-value store: whatever was acknowledged is there after a loss of power, batches are there whole or not at all, and nothing is there
/// that was not put before it.
/// </summary>
internal sealed class StoreScenario : IScenario
{
    /// <inheritdoc/>
    public string Name => "store";

    /// <inheritdoc/>
    public string Description => "The key-value store: batches, reads, scans, checkpoints and reopens, on a disk that admits its faults.";

    /// <inheritdoc/>
    public IReadOnlyList<Fault> Faults => FaultPlan.Honest;

    /// <inheritdoc/>
    public bool EndsProcesses => true;

    /// <inheritdoc/>
    public IScenarioRun Begin(World world) => new StoreRun(world, canRot: false, canLie: false);
}
