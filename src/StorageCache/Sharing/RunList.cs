using System.Collections;

namespace StorageCache.Sharing;

/// <summary>Runs of one file in page order, without overlap.</summary>
internal sealed class RunList : IEnumerable<ExtentRun>
{
    private readonly SortedSet<ExtentRun> _runs;

    /// <param name="runs">Without overlap.</param>
    public RunList(IEnumerable<ExtentRun> runs)
    {
        _runs = new(runs, Comparer<ExtentRun>.Create((one, other) => one.FirstPage.CompareTo(other.FirstPage)));
        Pages = _runs.Sum(run => run.Count);
    }

    /// <summary>How many runs.</summary>
    public int Count => _runs.Count;

    /// <summary>How many pages.</summary>
    public long Pages { get; private set; }

    /// <summary>What the list has of some pages. The list is not to be changed meanwhile.</summary>
    public IEnumerable<ExtentRun> Within(long firstPage, long endPage)
    {
        if (firstPage >= endPage)
        {
            yield break;
        }

        // The last one that begins before the pages may reach into them.
        ExtentRun before = _runs.GetViewBetween(At(long.MinValue), At(firstPage)).Max;
        foreach (ExtentRun run in _runs.GetViewBetween(At(before.Count > 0 ? before.FirstPage : firstPage), At(endPage - 1)))
        {
            long first = Math.Max(firstPage, run.FirstPage);
            long end = Math.Min(endPage, run.EndPage);
            if (first < end)
            {
                yield return run.Part(first, end - first);
            }
        }
    }

    /// <summary>What the list does not have of some pages: first and end pages.</summary>
    public List<(long First, long End)> Gaps(long firstPage, long endPage)
    {
        List<(long First, long End)> gaps = [];
        long next = firstPage;
        foreach (ExtentRun run in Within(firstPage, endPage))
        {
            if (run.FirstPage > next)
            {
                gaps.Add((next, run.FirstPage));
            }

            next = run.EndPage;
        }

        if (next < endPage)
        {
            gaps.Add((next, endPage));
        }

        return gaps;
    }

    /// <summary>Adds a run whose pages the list does not have.</summary>
    public void Add(ExtentRun run)
    {
        _runs.Add(run);
        Pages += run.Count;
    }

    /// <inheritdoc/>
    public IEnumerator<ExtentRun> GetEnumerator() => _runs.GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>What a run that begins with a page is compared by.</summary>
    private static ExtentRun At(long page) => new(page, 0, null!, 0);
}
