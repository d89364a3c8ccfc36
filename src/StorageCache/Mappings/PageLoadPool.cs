namespace StorageCache.Mappings;

/// <summary>Loads of one cache that are not under way, for single pages and for runs. Thread-safe.</summary>
internal sealed class PageLoadPool
{
    /// <summary>The most bytes in one read.</summary>
    public const int RunBytes = 1 << 20;

    private readonly Lock _lock = new();
    private readonly Stack<PageLoad> _singles = new();
    private readonly Stack<PageLoad> _runs = new();
    private readonly int _runPages;
    private int _inUse;

    public PageLoadPool(CacheCore core) => _runPages = RunBytes / core.PageSize;

    /// <summary>Loads under way.</summary>
    public int InUse => Volatile.Read(ref _inUse);

    /// <summary>Takes a load for one page.</summary>
    public PageLoad RentSingle() => Rent(_singles, 1);

    /// <summary>Takes a load for a run of pages, with none yet.</summary>
    public PageLoad RentRun()
    {
        PageLoad load = Rent(_runs, _runPages);
        load.Clear();
        return load;
    }

    /// <summary>Gives a load back.</summary>
    public void Return(PageLoad load)
    {
        lock (_lock)
        {
            if (!load.IsForsaken)
            {
                (load.MaximumPages == 1 ? _singles : _runs).Push(load);
            }

            _inUse--;
        }
    }

    private PageLoad Rent(Stack<PageLoad> stack, int pages)
    {
        lock (_lock)
        {
            _inUse++;
            if (stack.TryPop(out PageLoad? load))
            {
                return load;
            }
        }

        return new PageLoad(pages);
    }
}
