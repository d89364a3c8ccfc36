namespace StorageCache.KeyValueStore;

/// <summary>One thing that is not as it must be.</summary>
/// <param name="Page">The page where it shows.</param>
/// <param name="Message">What it is.</param>
public readonly record struct CheckProblem(long Page, string Message)
{
    /// <inheritdoc/>
    public override string ToString() => $"page {Page}: {Message}";
}
