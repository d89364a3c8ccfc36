using StorageCache.Simulation.Disk;

namespace StorageCache.Simulation.Kernel;

/// <summary>How the simulation of a seed has ended.</summary>
/// <param name="Seed">What decided everything.</param>
/// <param name="Hash">Of all that has happened.</param>
/// <param name="Events">How much has happened.</param>
/// <param name="PowerLosses">How often the power went.</param>
/// <param name="Operations">What clients began.</param>
/// <param name="Strikes">How often each fault has struck.</param>
/// <param name="Violation">What the system has not done that it promises; null if it has done it all.</param>
internal sealed record SimulationResult(
    ulong Seed,
    ulong Hash,
    long Events,
    int PowerLosses,
    long Operations,
    IReadOnlyDictionary<Fault, long> Strikes,
    string? Violation);
