namespace StorageCache.Workloads.Reporting;

/// <summary>One variant's figure from each round, in the order of the rounds.</summary>
internal sealed class RoundSamples
{
    private readonly List<double> _values = [];

    /// <summary>How many rounds there were.</summary>
    public int Count => _values.Count;

    /// <summary>The smallest figure.</summary>
    public double Minimum => _values.Min();

    /// <summary>The largest figure.</summary>
    public double Maximum => _values.Max();

    /// <summary>The middle figure, or the mean of the two in the middle.</summary>
    public double Median
    {
        get
        {
            double[] sorted = [.. _values.Order()];
            int middle = sorted.Length / 2;
            return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        }
    }

    /// <summary>Adds the next round's figure.</summary>
    public void Add(double value) => _values.Add(value);

    /// <summary>
    /// Each round's quotient of two variants. What slows a whole round down cancels out, so its median holds where the
    /// quotient of two medians does not.
    /// </summary>
    public static RoundSamples Ratio(RoundSamples numerator, RoundSamples denominator)
    {
        RoundSamples ratios = new();
        foreach ((double above, double below) in numerator._values.Zip(denominator._values))
        {
            ratios.Add(above / below);
        }

        return ratios;
    }

    /// <summary>Each round's geometric mean over several variants, which have as many rounds.</summary>
    public static RoundSamples GeometricMean(IReadOnlyList<RoundSamples> variants)
    {
        RoundSamples means = new();
        for (int round = 0; round < variants[0].Count; round++)
        {
            means.Add(Math.Exp(variants.Average(variant => Math.Log(variant._values[round]))));
        }

        return means;
    }
}
