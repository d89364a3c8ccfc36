using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios;

/// <summary>Draws what clients do next. Seeds differ in how likely each operation is. Not thread-safe.</summary>
internal sealed class OperationWeights
{
    private readonly SimulationRandom _random;
    private readonly int[] _weights;

    /// <param name="random">Decides.</param>
    /// <param name="operations">How many operations there are.</param>
    public OperationWeights(SimulationRandom random, int operations)
    {
        _random = random;
        _weights = new int[operations];
        for (int i = 0; i < operations; i++)
        {
            _weights[i] = (int)random.Magnitude(1, 64);
        }
    }

    /// <summary>Draws one: 0 or more, below their number.</summary>
    public int Next()
    {
        int drawn = _random.Below(_weights.Sum());
        int which = 0;
        while (drawn >= _weights[which])
        {
            drawn -= _weights[which++];
        }

        return which;
    }
}
