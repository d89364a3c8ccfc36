namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>What has happened so far. The run that it belongs to writes it; others take a <see cref="Snapshot"/>.</summary>
internal sealed class RunTotals
{
    private readonly Lock _lock = new();

    /// <summary>Lives of workers.</summary>
    public long Lives { get; set; }

    /// <summary>By what, and how often, by the moment that was chosen.</summary>
    public SortedDictionary<string, long> Strikes { get; } = [];

    /// <summary>Changes begun.</summary>
    public long Begun { get; set; }

    /// <summary>Changes acknowledged.</summary>
    public long Acknowledged { get; set; }

    /// <summary>Times that a store was opened, checked and held against what was promised.</summary>
    public long Checked { get; set; }

    /// <summary>Clones made.</summary>
    public long Clones { get; set; }

    /// <summary>Clones half made, and refused.</summary>
    public long ClonesRefused { get; set; }

    /// <summary>Clones half made, and right.</summary>
    public long ClonesFound { get; set; }

    /// <summary>Errors that callers have seen.</summary>
    public SortedDictionary<string, long> Errors { get; } = [];

    /// <summary>Counts a strike.</summary>
    public void Count(string strike)
    {
        lock (_lock)
        {
            Strikes[strike] = Strikes.GetValueOrDefault(strike) + 1;
        }
    }

    /// <summary>A copy. Thread-safe.</summary>
    public RunTotals Snapshot()
    {
        RunTotals copy = new();
        lock (_lock)
        {
            copy.Add(this);
        }

        return copy;
    }

    /// <summary>Takes over what the histories know.</summary>
    public void Take(Oracle.Histories histories)
    {
        Begun = histories.Begun;
        Acknowledged = histories.Acknowledged;
        Checked = histories.Checked;
        Clones = histories.Clones;
        ClonesRefused = histories.ClonesRefused;
        ClonesFound = histories.ClonesFound;
        lock (_lock)
        {
            foreach ((string error, long times) in histories.Errors)
            {
                Errors[error] = times;
            }
        }
    }

    /// <summary>Adds another run's.</summary>
    public void Add(RunTotals other)
    {
        Lives += other.Lives;
        Begun += other.Begun;
        Acknowledged += other.Acknowledged;
        Checked += other.Checked;
        Clones += other.Clones;
        ClonesRefused += other.ClonesRefused;
        ClonesFound += other.ClonesFound;
        foreach ((string strike, long times) in other.Strikes)
        {
            Strikes[strike] = Strikes.GetValueOrDefault(strike) + times;
        }

        foreach ((string error, long times) in other.Errors)
        {
            Errors[error] = Errors.GetValueOrDefault(error) + times;
        }
    }
}
