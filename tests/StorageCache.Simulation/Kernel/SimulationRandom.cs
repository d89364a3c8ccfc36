using System.Numerics;

namespace StorageCache.Simulation.Kernel;

/// <summary>
/// The only source of chance in a simulation: what it draws follows from its seed alone, in every process and with every version of the
/// runtime (SIM-1). Not thread-safe.
/// </summary>
/// <remarks>SplitMix64 (Steele, Lea, Flood 2014).</remarks>
internal sealed class SimulationRandom(ulong seed)
{
    private ulong _state = seed;

    /// <summary>64 random bits.</summary>
    public ulong NextBits()
    {
        _state += 0x9E3779B97F4A7C15;
        ulong bits = _state;
        bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
        bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
        return bits ^ (bits >> 31);
    }

    /// <summary>A number from 0 up to, not including, <paramref name="bound"/>, which is 1 or more.</summary>
    public int Below(int bound) => (int)Math.BigMul(NextBits(), (ulong)bound, out _);

    /// <summary>A number from 0 up to, not including, <paramref name="bound"/>, which is 1 or more.</summary>
    public long Below(long bound) => (long)Math.BigMul(NextBits(), (ulong)bound, out _);

    /// <summary>A number between two, both included.</summary>
    public int Between(int least, int most) => least + Below(most - least + 1);

    /// <summary>A number between two of the same sign, both above 0 and included, whose order of magnitude is drawn evenly.</summary>
    public long Magnitude(long least, long most)
    {
        int shift = Below(BitOperations.Log2((ulong)(most / least)) + 1);
        long from = least << shift;
        return Math.Min(most, from + Below(from));
    }

    /// <summary>True so many times in a thousand.</summary>
    public bool PerMille(int chance) => chance > 0 && Below(1000) < chance;

    /// <summary>True so many times in one.</summary>
    public bool Chance(double probability) => probability > 0 && (NextBits() >> 11) * (1.0 / (1UL << 53)) < probability;

    /// <summary>One of several.</summary>
    public T Pick<T>(IReadOnlyList<T> from) => from[Below(from.Count)];
}
