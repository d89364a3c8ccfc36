using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Store;

/// <summary>
/// The key-value store on a disk that lies, of its pages and of its log: what it gives is what was put, maybe long ago, or it says what is wrong.
/// </summary>
internal sealed class LiesScenario : IScenario
{
    /// <summary>Those after which a store may hold something of another time.</summary>
    public static IReadOnlyList<Fault> Lies { get; } = [Fault.LostWrite, Fault.MisdirectedWrite, Fault.LyingFlush];

    /// <inheritdoc/>
    public string Name => "lies";

    /// <inheritdoc/>
    public string Description => "The key-value store on a disk that acknowledges what it has not done: bytes that were never put are never given.";

    /// <inheritdoc/>
    public IReadOnlyList<Fault> Faults { get; } = [.. Lies, Fault.LyingLength, Fault.WriteError, Fault.FlushError];

    /// <inheritdoc/>
    public IScenarioRun Begin(World world) => new StoreRun(world, canRot: false, canLie: true);
}
