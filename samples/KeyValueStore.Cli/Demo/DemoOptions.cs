namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>What the demonstration works on.</summary>
/// <param name="Directory">The files; null means the .NET installation.</param>
/// <param name="CacheSize">Memory limit of the cache, in bytes; 0 means an eighth of the data, or the least that works if that is more.</param>
/// <param name="PageSize">Bytes of a page; 0 means 4,096.</param>
/// <param name="Keep">Leaves the store behind.</param>
/// <param name="PlantDifference">Changes one byte of one value before the comparison, to show that it would be noticed.</param>
internal sealed record DemoOptions(string? Directory, long CacheSize, int PageSize, bool Keep, bool PlantDifference)
{
    /// <summary>Clones to make of a store with the data; 0 for none.</summary>
    public int Clones { get; init; }

    /// <summary>Where the demonstration makes a directory for its files; null means the directory for temporary files.</summary>
    public string? Scratch { get; init; }

    /// <summary>Whether the clones' store and the clones share pages of equal content as well, which plain copies need to share any.</summary>
    public bool ShareContent { get; init; }
}
