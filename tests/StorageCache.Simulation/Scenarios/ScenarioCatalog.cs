using StorageCache.Simulation.Kernel;
using StorageCache.Simulation.Scenarios.Codec;
using StorageCache.Simulation.Scenarios.Engine;
using StorageCache.Simulation.Scenarios.Register;
using StorageCache.Simulation.Scenarios.Store;

namespace StorageCache.Simulation.Scenarios;

/// <summary>All scenarios.</summary>
internal static class ScenarioCatalog
{
    /// <summary>Those that are to find something.</summary>
    public static IReadOnlyList<IScenario> All { get; } =
        [new EngineScenario(), new CodecScenario(), new StoreScenario(), new RotScenario(), new LiesScenario()];

    /// <summary>Those that the simulator itself is tested with.</summary>
    public static IReadOnlyList<IScenario> OwnTests { get; } = [.. Enum.GetValues<RegisterBug>().Select(static bug => new RegisterScenario(bug))];

    /// <summary>The scenario with a name; null if there is none.</summary>
    public static IScenario? Find(string name) => All.Concat(OwnTests).FirstOrDefault(scenario => scenario.Name == name);
}
