namespace StorageCache.Diagnostics;

/// <summary>
/// Hands on what has gone wrong to those who want to hear of it: one event after the other, in their order, on the thread pool, and so on
/// no thread and under no lock of the cache (E-4). Handlers may throw, block and call the cache. Thread-safe.
/// </summary>
internal sealed class HealthEvents : IThreadPoolWorkItem
{
    /// <summary>Events that are kept for handlers that take their time. What comes beyond is counted.</summary>
    public const int MostKept = 1024;

    private readonly PageCache _cache;
    private readonly Lock _lock = new();
    private readonly Queue<HealthEventArgs> _queue = new();
    private EventHandler<HealthEventArgs>? _handlers;
    private long _dropped;
    private bool _isRunning;

    public HealthEvents(PageCache cache) => _cache = cache;

    /// <summary>Those who want to hear.</summary>
    public event EventHandler<HealthEventArgs>? Changed
    {
        add
        {
            lock (_lock)
            {
                _handlers += value;
            }
        }

        remove
        {
            lock (_lock)
            {
                _handlers -= value;
            }
        }
    }

    /// <summary>Has an event told. Runs no handler itself; does nothing if there is none.</summary>
    public void Raise(HealthEventKind kind, Mapping mapping, long? page, Exception? error)
    {
        if (Volatile.Read(ref _handlers) is null)
        {
            return;
        }

        lock (_lock)
        {
            if (_queue.Count == MostKept)
            {
                _dropped++;
                return;
            }

            _queue.Enqueue(new HealthEventArgs(kind, mapping, page, error, _dropped));
            _dropped = 0;
            if (_isRunning)
            {
                return;
            }

            _isRunning = true;
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <inheritdoc/>
    void IThreadPoolWorkItem.Execute()
    {
        while (TryTake(out HealthEventArgs? told, out EventHandler<HealthEventArgs>? handlers))
        {
            foreach (EventHandler<HealthEventArgs> handler in Delegate.EnumerateInvocationList(handlers))
            {
                try
                {
                    handler(_cache, told);
                }
                catch (Exception)
                {
                    // It is nobody's here. The others are to hear of the event all the same.
                }
            }
        }
    }

    private bool TryTake(out HealthEventArgs told, out EventHandler<HealthEventArgs>? handlers)
    {
        lock (_lock)
        {
            handlers = _handlers;
            _isRunning = _queue.TryDequeue(out HealthEventArgs? next);
            told = next!;
            return _isRunning;
        }
    }
}
