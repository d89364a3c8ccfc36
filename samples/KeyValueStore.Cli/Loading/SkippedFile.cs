namespace StorageCache.KeyValueStore.Cli.Loading;

/// <summary>A file that was left out.</summary>
/// <param name="Path">Path from the tree's root.</param>
/// <param name="Reason">Why, to be counted.</param>
/// <param name="Detail">Why, to be read.</param>
internal sealed record SkippedFile(string Path, SkipReason Reason, string Detail)
{
    public override string ToString() => $"{Path}: {Detail}";

    /// <summary>How many were left out and why, such as "2 (1 of more than 64 MiB, 1 not to be read)".</summary>
    public static string Summarize(IReadOnlyCollection<SkippedFile> skipped)
    {
        if (skipped.Count == 0)
        {
            return "0";
        }

        IEnumerable<string> parts = skipped.GroupBy(file => file.Reason).OrderBy(group => group.Key).Select(group => $"{group.Count()} {Describe(group.Key)}");
        return $"{skipped.Count} ({string.Join(", ", parts)})";
    }

    private static string Describe(SkipReason reason) => reason switch
    {
        SkipReason.TooLarge => "of more than 64 MiB",
        SkipReason.Unreadable => "not to be read",
        SkipReason.NotRegular => "no regular file",
        _ => "with a path that cannot be a key",
    };
}
