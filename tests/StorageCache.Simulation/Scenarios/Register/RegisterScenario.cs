using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Register;

/// <summary>
/// A toy: numbers, each in a sector of its own, that are durable once they are acknowledged. Without the cache, and with a bug if one is
/// wanted: what the simulator itself is tested with, and the shortest example of a scenario.
/// </summary>
internal sealed class RegisterScenario(RegisterBug bug) : IScenario
{
    /// <inheritdoc/>
    public string Name => bug == RegisterBug.None ? "register" : $"register-{bug}";

    /// <inheritdoc/>
    public string Description => "A toy that the simulator itself is tested with.";

    /// <inheritdoc/>
    public IReadOnlyList<Fault> Faults => FaultPlan.Honest;

    /// <inheritdoc/>
    public IScenarioRun Begin(World world) => new RegisterRun(world, bug);
}
