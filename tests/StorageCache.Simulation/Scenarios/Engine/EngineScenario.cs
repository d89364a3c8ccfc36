using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Engine;

/// <summary>
/// The cache alone, with as little memory as it may have, on files whose pages say who they are: what was flushed is there after a loss
/// of power, what is read is what was written, and every error has its cause in the disk.
/// </summary>
internal sealed class EngineScenario : IScenario
{
    /// <inheritdoc/>
    public string Name => "engine";

    /// <inheritdoc/>
    public string Description => "The cache alone: reads, writes, pins, flushes, truncations, punches and reopens in the least memory.";

    /// <summary>Those that the disk admits to: pages here carry no checksum.</summary>
    public IReadOnlyList<Fault> Faults => FaultPlan.Honest;

    /// <inheritdoc/>
    public IScenarioRun Begin(World world) => new EngineRun(world);
}
