using StorageCache.IO;
using StorageCache.Writeback;

namespace StorageCache;

/// <content>Writes that begin together, and so reach the device together.</content>
public sealed unsafe partial class Mapping
{
    /// <summary>Starts writes for the background flusher, of as many runs as there are permits for.</summary>
    /// <param name="permits">The permits that the caller has taken. Those that are not used are given back.</param>
    /// <param name="pagesLeft">How many pages to write; lowered by those that are under way now.</param>
    /// <returns>Whether there may be more to write.</returns>
    internal bool StartWrites(int permits, ref long pagesLeft)
    {
        int started = 0;
        bool hasMore = true;
        _log?.Refresh();
        using (SubmissionPlug.Begin())
        {
            while (hasMore && IsWithin(permits, started) && pagesLeft > 0)
            {
                int pages = StartWrite();
                hasMore = pages > 0;
                if (hasMore)
                {
                    started++;
                    pagesLeft -= pages;
                }
            }
        }

        GiveBackUnused(permits - started);
        return hasMore;
    }

    /// <summary>Starts writes for a flush, of as many runs as there are permits for.</summary>
    /// <param name="permits">The permits that the caller has taken. Those that are not used are given back.</param>
    /// <param name="cursor">The page to look from; afterwards the page to go on from.</param>
    /// <param name="endPage">The page to stop at.</param>
    /// <param name="busy">Takes the dirty pages that cannot be written now.</param>
    /// <returns>Whether there may be more to write.</returns>
    private bool StartWrites(int permits, ref long cursor, long endPage, List<long> busy)
    {
        int started = 0;
        bool hasMore = true;
        _log?.Refresh();
        using (SubmissionPlug.Begin())
        {
            while (hasMore && IsWithin(permits, started))
            {
                hasMore = StartWrite(ref cursor, endPage, busy) > 0;
                started += hasMore ? 1 : 0;
            }
        }

        GiveBackUnused(permits - started);
        return hasMore;
    }

    /// <summary>Starts writes for a checkpoint, of as many runs as there are permits for.</summary>
    /// <param name="permits">The permits that the caller has taken. Those that are not used are given back.</param>
    /// <param name="pages">The pages to write; afterwards at the page to go on from.</param>
    /// <param name="most">The most pages to write.</param>
    /// <param name="busy">Takes the dirty pages that cannot be written now.</param>
    /// <returns>How many pages are under way.</returns>
    private long StartWrites(int permits, PageRanges pages, long most, List<long> busy)
    {
        int started = 0;
        long under = 0;
        _log?.Refresh();
        using (SubmissionPlug.Begin())
        {
            for (int looks = 0; pages.HasMore && under < most && IsWithin(permits, started) && looks < RangesAtOnce; looks++)
            {
                long cursor = pages.Next;
                long end = Math.Min(pages.End, most - under < pages.End - cursor ? cursor + most - under : pages.End);
                int count = StartWrite(ref cursor, end, busy);
                under += count;
                started += count > 0 ? 1 : 0;
                pages.AdvanceTo(count > 0 ? cursor : end);
            }
        }

        GiveBackUnused(permits - started);
        return under;
    }

    /// <summary>Whether another write may begin. The first one may: there was room when its permit was given.</summary>
    private bool IsWithin(int permits, int started) => started == 0 || (started < permits && _core.WriteBack.Permits.HasRoom);

    private void GiveBackUnused(int permits)
    {
        if (permits > 0)
        {
            _core.WriteBack.Permits.Release(permits, bytes: 0);
        }
    }
}
