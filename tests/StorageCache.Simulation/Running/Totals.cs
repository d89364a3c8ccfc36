using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Running;

/// <summary>What a run has come to. Not thread-safe.</summary>
internal sealed class Totals
{
    private readonly SortedDictionary<Fault, long> _strikes = [];

    /// <summary>Seeds.</summary>
    public long Seeds { get; private set; }

    /// <summary>Losses of power.</summary>
    public long PowerLosses { get; private set; }

    /// <summary>Events.</summary>
    public long Events { get; private set; }

    /// <summary>Operations of clients.</summary>
    public long Operations { get; private set; }

    /// <summary>How often each fault has struck.</summary>
    public IReadOnlyDictionary<Fault, long> Strikes => _strikes;

    /// <summary>The result with the violation; null if there is none.</summary>
    public SimulationResult? Failure { get; private set; }

    /// <summary>Adds a result.</summary>
    public void Add(SimulationResult result)
    {
        Seeds++;
        PowerLosses += result.PowerLosses;
        Events += result.Events;
        Operations += result.Operations;
        foreach ((Fault fault, long times) in result.Strikes)
        {
            _strikes[fault] = _strikes.GetValueOrDefault(fault) + times;
        }

        if (result.Violation is not null)
        {
            Failure ??= result;
        }
    }
}
