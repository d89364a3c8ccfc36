using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Wait;

/// <summary>Both structures with one number of parked waiters, and what their rounds came to.</summary>
internal sealed class SpreadSize : IAsyncDisposable
{
    private const int Targets = 1024;
    private const int HashedShare = 10; // a hashed wake is so much slower that a tenth of them gives as firm a figure

    private readonly SpreadWaiters _ours;
    private readonly SpreadHashedWaiters _hashed;
    private readonly WakeSamples _oursSamples = new();
    private readonly WakeSamples _parkedSamples = new();
    private readonly WakeSamples _hashedSamples = new();
    private readonly string _name;

    private SpreadSize(string name, SpreadWaiters ours, SpreadHashedWaiters hashed)
    {
        _name = name;
        _ours = ours;
        _hashed = hashed;
    }

    /// <summary>99th percentiles of the cache's wakes.</summary>
    public RoundSamples P99 => _oursSamples.P99;

    /// <summary>99th percentiles of the cache's wakes of those who have long been parked.</summary>
    public RoundSamples ParkedP99 => _parkedSamples.P99;

    /// <summary>Parks the waiters in both.</summary>
    /// <param name="name">The part of the metrics' names that says how many.</param>
    /// <param name="parked">How many.</param>
    public static async Task<SpreadSize> CreateAsync(string name, int parked) =>
        new(name, await SpreadWaiters.CreateAsync(parked, Targets), new SpreadHashedWaiters(parked, Targets));

    /// <summary>Runs each variant once; their figures are kept only if <paramref name="isCounted"/>.</summary>
    public void Round(int wakes, bool isCounted)
    {
        WakeResult ours = _ours.Wake(wakes);
        WakeResult hashed = _hashed.Wake(wakes / HashedShare);
        WakeResult parked = _ours.WakeParked(wakes);
        if (isCounted)
        {
            _oursSamples.Add(ours);
            _hashedSamples.Add(hashed);
            _parkedSamples.Add(parked);
        }
    }

    /// <summary>Adds the metrics.</summary>
    public void Report(Report report)
    {
        _oursSamples.Report(report, $"wait.spread.{_name}", Target.Exactly(1), Target.Exactly(0));
        _parkedSamples.Report(report, $"wait.spread_parked.{_name}", Target.Exactly(1), Target.Exactly(0));
        _hashedSamples.Report(report, $"wait.hashed.{_name}", examinedTarget: null, allocatedTarget: null);
        report.Add($"wait.hashed.{_name}.p50_ratio_to_ours", RoundSamples.Ratio(_hashedSamples.Median, _oursSamples.Median), "ratio");
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _ours.DisposeAsync();
}
