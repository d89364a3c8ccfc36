namespace StorageCache.Tests.Stress.Storms;

/// <summary>One of those who make the storm: does one thing at a time.</summary>
/// <param name="number">From 0.</param>
/// <param name="seed">Of what it does.</param>
internal sealed class StormWorker(int number, int seed)
{
    public int Number { get; } = number;

    public Random Random { get; } = new(seed);

    /// <summary>What it is at, for those who wonder why nothing goes on.</summary>
    public string Doing { get; set; } = "";

    public override string ToString() => $"worker {Number}: {Doing}";
}
