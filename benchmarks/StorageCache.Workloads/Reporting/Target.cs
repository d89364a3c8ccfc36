using System.Globalization;

namespace StorageCache.Workloads.Reporting;

/// <summary>What the project wants a metric to be. Printed beside the metric; nothing fails when it is missed.</summary>
internal sealed class Target
{
    private readonly string _wording;
    private readonly Func<double, bool> _isMet;

    private Target(string wording, double bound, Func<double, bool> isMet)
    {
        _wording = string.Create(CultureInfo.InvariantCulture, $"{wording} {bound}");
        _isMet = isMet;
    }

    /// <summary>The metric should not exceed a bound.</summary>
    public static Target AtMost(double bound) => new("at most", bound, value => value <= bound);

    /// <summary>The metric should reach a bound.</summary>
    public static Target AtLeast(double bound) => new("at least", bound, value => value >= bound);

    /// <summary>The metric should be one value and no other.</summary>
    public static Target Exactly(double bound) => new("exactly", bound, value => value == bound);

    /// <summary>The target in words, and whether <paramref name="value"/> meets it.</summary>
    public string Describe(double value) => _isMet(value) ? $"{_wording}: met" : $"{_wording}: MISSED";
}
