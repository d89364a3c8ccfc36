using StorageCache.Frames;

namespace StorageCache.Sharing;

/// <summary>
/// Which pages of a file hold what pages of other files hold: runs in page order, without those pages that have been written since,
/// which never come back (SH-2). Thread-safe.
/// </summary>
internal sealed class ExtentMap
{
    private readonly ExtentRun[] _runs;
    private readonly PageSet _private;
    private long _end = long.MaxValue;

    /// <param name="runs">In page order, without overlap.</param>
    /// <param name="isPrivate">Pages that do not take part; whoever writes one puts it in.</param>
    /// <param name="bytes">What was charged to the memory limit for the map.</param>
    public ExtentMap(ExtentRun[] runs, PageSet isPrivate, long bytes)
    {
        _runs = runs;
        _private = isPrivate;
        Bytes = bytes;
    }

    /// <summary>Bytes charged to the memory limit.</summary>
    public long Bytes { get; }

    /// <summary>Bytes that a map takes.</summary>
    public static long BytesFor(int runs, long pages) => (runs * (long)ExtentRun.SizeInBytes) + PageSet.BytesFor(pages);

    /// <summary>The runs as they are now, in page order, without the pages that have left.</summary>
    public IEnumerable<ExtentRun> LiveRuns()
    {
        foreach (ExtentRun run in _runs)
        {
            long end = Math.Min(run.EndPage, Volatile.Read(ref _end));
            for (long first = _private.NextOut(run.FirstPage, end); first < end;)
            {
                long next = _private.NextIn(first, end);
                yield return run.Part(first, next - first);
                first = _private.NextOut(next, end);
            }
        }
    }

    /// <summary>What a page is found by. False if nobody else has it.</summary>
    public bool TryFind(long page, out ExtentIdentity identity, out long offset)
    {
        identity = null!;
        offset = 0;
        if (page >= Volatile.Read(ref _end) || _private.Contains(page))
        {
            return false;
        }

        int low = 0;
        int high = _runs.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            ExtentRun run = _runs[middle];
            if (page < run.FirstPage)
            {
                high = middle - 1;
            }
            else if (page >= run.EndPage)
            {
                low = middle + 1;
            }
            else
            {
                identity = run.Identity;
                offset = run.Offset + page - run.FirstPage;
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether a page is a certain page of a run.</summary>
    public bool Has(long page, ExtentIdentity identity, long offset) =>
        TryFind(page, out ExtentIdentity found, out long at) && ReferenceEquals(found, identity) && at == offset;

    /// <summary>Takes a page out: it is about to be written, or gone.</summary>
    public void Leave(long page) => _private.Add(page);

    /// <summary>Takes the pages from one to an end out: they are about to become others.</summary>
    public void LeaveRange(long page, long end) => _private.AddRange(page, end);

    /// <summary>Takes all pages out from one on: the file is being cut there.</summary>
    public void Cut(long fromPage)
    {
        long end = Volatile.Read(ref _end);
        while (fromPage < end)
        {
            long seen = Interlocked.CompareExchange(ref _end, fromPage, end);
            if (seen == end)
            {
                return;
            }

            end = seen;
        }
    }

    /// <summary>What the index finds a page of a run by.</summary>
    public static FrameKey KeyOf(ExtentIdentity identity, long offset) => new(identity.Number, (ulong)offset, Tag: 0);
}
