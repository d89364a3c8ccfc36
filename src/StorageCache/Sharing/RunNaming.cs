namespace StorageCache.Sharing;

/// <summary>Gives the pages that two files have in common one name: a run, and which page of it.</summary>
internal static class RunNaming
{
    /// <summary>
    /// Runs of a file that cover what it has in common with another: those that it has, as far as they have not been written, and new
    /// ones for the rest.
    /// </summary>
    public static RunList NameAll(Mapping mapping, List<CommonPages> common)
    {
        RunList named = new(mapping.Sharing!.Extents?.LiveRuns() ?? []);
        foreach (CommonPages pages in common)
        {
            foreach ((long first, long gapEnd) in named.Gaps(pages.First, pages.First + pages.Count))
            {
                ExtentIdentity identity = new(mapping.Core.Sharing.NextIdentity(), mapping, first);
                named.Add(new ExtentRun(first, gapEnd - first, identity, Offset: 0));
            }
        }

        return named;
    }

    /// <summary>Gives pages the names that the other file's have.</summary>
    /// <param name="common">The pages.</param>
    /// <param name="live">The other file's runs, without what has been dirtied meanwhile.</param>
    /// <param name="found">Takes them; what has a name keeps it.</param>
    public static void AddRuns(List<CommonPages> common, RunList live, RunList found)
    {
        foreach (CommonPages pages in common)
        {
            long shift = pages.Second - pages.First;
            foreach (ExtentRun run in live.Within(pages.First, pages.First + pages.Count))
            {
                foreach ((long first, long end) in found.Gaps(run.FirstPage + shift, run.EndPage + shift))
                {
                    found.Add(run.Part(first - shift, end - first) with { FirstPage = first });
                }
            }
        }
    }
}
