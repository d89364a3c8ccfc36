namespace StorageCache;

/// <summary>How a <see cref="PageReadStream"/> reads. Checked when the stream is opened.</summary>
public sealed class PageReadStreamOptions
{
    /// <summary>
    /// The most pages that are looked ahead, 1 to 4,096; in a small cache at most an eighth of it. The stream finds the distance
    /// itself: it grows while pages have to be read, and shrinks while they are in memory. Default: 256.
    /// </summary>
    public int MaximumDistance { get; init; } = 256;

    /// <summary>
    /// Whether pages that the stream has brought in are given up soon after it has passed them, so that it goes round in a few
    /// frames of its own and leaves the rest of the cache as it is. For scans of much that is wanted once. Default: false.
    /// </summary>
    public bool Scan { get; init; }

    /// <exception cref="ArgumentOutOfRangeException">Names the option, its value and the range.</exception>
    internal void Validate()
    {
        if (MaximumDistance is < 1 or > 4096)
        {
            throw new ArgumentOutOfRangeException(
                $"options.{nameof(MaximumDistance)}",
                MaximumDistance,
                $"PageReadStreamOptions.{nameof(MaximumDistance)} is {MaximumDistance}; allowed: 1 to 4096 pages.");
        }
    }
}
