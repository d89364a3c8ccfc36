namespace StorageCache.Simulation.Disk;

/// <summary>One request's changes to what is stored.</summary>
internal sealed class Change
{
    /// <summary>When the request was acknowledged, in the count of acknowledgements; <see cref="long.MaxValue"/> while it is not.</summary>
    public long Acknowledged { get; set; } = long.MaxValue;
}
