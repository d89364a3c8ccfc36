namespace StorageCache.Workloads.Reporting;

/// <summary>Everything a run has measured, in the order in which it is printed.</summary>
internal sealed class Report
{
    private readonly List<Metric> _metrics = [];

    /// <summary>The metrics so far.</summary>
    public IReadOnlyList<Metric> Metrics => _metrics;

    /// <summary>Adds the median of the rounds' figures under a name.</summary>
    public void Add(string name, RoundSamples samples, string unit, Target? target = null) =>
        _metrics.Add(new Metric(name, samples.Median, samples.Minimum, samples.Maximum, unit, samples.Count, target));
}
