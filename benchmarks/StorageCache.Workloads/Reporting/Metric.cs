namespace StorageCache.Workloads.Reporting;

/// <summary>One measured figure.</summary>
/// <param name="Name">Dotted and stable: workload, variants from coarse to fine, metric.</param>
/// <param name="Value">The median over the rounds.</param>
/// <param name="Minimum">The smallest of the rounds.</param>
/// <param name="Maximum">The largest of the rounds.</param>
/// <param name="Unit">The unit of all three.</param>
/// <param name="Rounds">How many rounds there were.</param>
/// <param name="Target">What the project wants it to be, or null.</param>
internal sealed record Metric(string Name, double Value, double Minimum, double Maximum, string Unit, int Rounds, Target? Target);
