using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Disk;

/// <summary>How likely each fault is, each time it could strike. Not thread-safe.</summary>
internal sealed class FaultPlan
{
    private static readonly Fault[] s_all = Enum.GetValues<Fault>();
    private readonly double[] _chances = new double[s_all.Length];

    /// <summary>Faults that the disk does not admit to: nothing but a checksum, or a second copy, tells.</summary>
    public static IReadOnlyList<Fault> Silent { get; } =
        [Fault.ShortRead, Fault.MisdirectedWrite, Fault.LostWrite, Fault.BitRot, Fault.LyingLength, Fault.LyingFlush];

    /// <summary>Faults that the disk admits to.</summary>
    public static IReadOnlyList<Fault> Honest { get; } = [.. s_all.Except(Silent)];

    /// <summary>Whether any fault strikes at all.</summary>
    public bool IsOn { get; set; } = true;

    /// <summary>How likely a fault is, 0 to 1.</summary>
    public double this[Fault fault]
    {
        get => _chances[(int)fault];
        set => _chances[(int)fault] = value is >= 0 and <= 1
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, $"The chance of {fault} is {value}; allowed: 0 to 1.");
    }

    /// <summary>Draws which of some faults there are to be, and how likely each is: few of them, so that each has its quiet companions.</summary>
    public static FaultPlan Draw(SimulationRandom random, IReadOnlyList<Fault> among)
    {
        FaultPlan plan = new();
        foreach (Fault fault in among)
        {
            if (random.PerMille(300))
            {
                plan[fault] = random.Magnitude(1, 128) / 1000.0;
            }
        }

        return plan;
    }

    /// <summary>Draws whether a fault strikes now.</summary>
    public bool Strikes(Fault fault, SimulationRandom random) => IsOn && random.Chance(_chances[(int)fault]);
}
