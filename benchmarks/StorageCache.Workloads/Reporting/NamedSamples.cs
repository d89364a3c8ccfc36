namespace StorageCache.Workloads.Reporting;

/// <summary>The figures of several variants, by the names of their metrics, in the order in which the names came first.</summary>
internal sealed class NamedSamples
{
    private readonly Dictionary<string, RoundSamples> _samples = [];
    private readonly List<string> _names = [];

    /// <summary>The names so far.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>A metric's figures so far.</summary>
    public RoundSamples this[string name] => _samples[name];

    /// <summary>Adds a round's figure.</summary>
    public void Add(string name, double value)
    {
        if (!_samples.TryGetValue(name, out RoundSamples? samples))
        {
            _samples.Add(name, samples = new RoundSamples());
            _names.Add(name);
        }

        samples.Add(value);
    }

    /// <summary>Whether there are figures under a name.</summary>
    public bool Contains(string name) => _samples.ContainsKey(name);
}
