using System.Collections;

namespace StorageCache.Sharing;

/// <summary>Runs of one file in page order, without overlap.</summary>
internal sealed class RunList : IEnumerable<ExtentRun>
{
    private readonly List<ExtentRun> _runs;

    /// <param name="runs">In page order, without overlap.</param>
    public RunList(IEnumerable<ExtentRun> runs) => _runs = [.. runs];

    /// <summary>How many runs.</summary>
    public int Count => _runs.Count;

    /// <summary>How many pages.</summary>
    public long Pages => _runs.Sum(run => run.Count);

    /// <summary>What the list has of some pages.</summary>
    public IEnumerable<ExtentRun> Within(long firstPage, long endPage)
    {
        for (int i = IndexBehind(firstPage); i < _runs.Count && _runs[i].FirstPage < endPage; i++)
        {
            long first = Math.Max(firstPage, _runs[i].FirstPage);
            yield return _runs[i].Part(first, Math.Min(endPage, _runs[i].EndPage) - first);
        }
    }

    /// <summary>What the list does not have of some pages: first and end pages.</summary>
    public IEnumerable<(long First, long End)> Gaps(long firstPage, long endPage)
    {
        long next = firstPage;
        foreach (ExtentRun run in Within(firstPage, endPage))
        {
            if (run.FirstPage > next)
            {
                yield return (next, run.FirstPage);
            }

            next = run.EndPage;
        }

        if (next < endPage)
        {
            yield return (next, endPage);
        }
    }

    /// <summary>Adds a run whose pages the list does not have.</summary>
    public void Add(ExtentRun run) => _runs.Insert(IndexBehind(run.FirstPage), run);

    /// <inheritdoc/>
    public IEnumerator<ExtentRun> GetEnumerator() => _runs.GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Index of the first run that ends behind a page.</summary>
    private int IndexBehind(long page)
    {
        int low = 0;
        int high = _runs.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_runs[middle].EndPage <= page)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }
}
