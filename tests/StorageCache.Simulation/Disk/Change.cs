using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Disk;

/// <summary>One request's changes to what is stored.</summary>
internal sealed class Change
{
    private bool? _survives;

    /// <summary>When the request was acknowledged, in the count of acknowledgements; <see cref="long.MaxValue"/> while it is not.</summary>
    public long Acknowledged { get; set; } = long.MaxValue;

    /// <summary>Whether it survives a loss of power of which requests survive as wholes; drawn when that is first asked.</summary>
    public bool Survives(SimulationRandom random, int perMille) => _survives ??= random.PerMille(perMille);
}
