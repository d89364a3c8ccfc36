namespace StorageCache.KeyValueStore;

/// <summary>What <see cref="KeyValueStore.CheckAsync"/> found.</summary>
public sealed class CheckReport
{
    internal CheckReport(long pages, long entries, long problemCount, IReadOnlyList<CheckProblem> problems)
    {
        Pages = pages;
        Entries = entries;
        ProblemCount = problemCount;
        Problems = problems;
    }

    /// <summary>Whether no problem was found.</summary>
    public bool IsSound => ProblemCount == 0;

    /// <summary>Pages of the store; each was looked at, or is named in a problem.</summary>
    public long Pages { get; }

    /// <summary>Keys found in leaves.</summary>
    public long Entries { get; }

    /// <summary>Problems found.</summary>
    public long ProblemCount { get; }

    /// <summary>The first problems, at most <see cref="MaximumProblems"/>.</summary>
    public IReadOnlyList<CheckProblem> Problems { get; }

    /// <summary>How many problems are described; more are only counted.</summary>
    public static int MaximumProblems => 100;
}
