namespace StorageCache.Platform;

/// <summary>
/// A thread of the cache's own for what must go on although every thread of the pool is blocked (T-1): it runs what it is given,
/// in order. Thread-safe.
/// </summary>
/// <remarks>Nothing that runs here may block. What comes after <see cref="Stop"/> runs on the thread pool.</remarks>
internal sealed class OwnThread
{
    private readonly object _gate = new();
    private readonly Queue<IThreadPoolWorkItem> _queue = new();
    private readonly Thread _thread;
    private bool _isStopped;

    /// <param name="name">The thread's name.</param>
    public OwnThread(string name) => _thread = new Thread(Run) { IsBackground = true, Name = name };

    /// <summary>Starts the thread.</summary>
    public void Start() => _thread.Start();

    /// <summary>Has something run on the thread, without the caller's execution context.</summary>
    public void Enqueue(IThreadPoolWorkItem item)
    {
        lock (_gate)
        {
            if (!_isStopped)
            {
                _queue.Enqueue(item);
                if (_queue.Count == 1)
                {
                    Monitor.Pulse(_gate);
                }

                return;
            }
        }

        ThreadPool.UnsafeQueueUserWorkItem(item, preferLocal: false);
    }

    /// <summary>Runs what has come so far, ends the thread and waits for it. Not to be called on it.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            _isStopped = true;
            Monitor.Pulse(_gate);
        }

        if (_thread.IsAlive)
        {
            _thread.Join();
        }
    }

    private void Run()
    {
        while (Dequeue() is { } item)
        {
            item.Execute();
        }
    }

    private IThreadPoolWorkItem? Dequeue()
    {
        lock (_gate)
        {
            while (_queue.Count == 0)
            {
                if (_isStopped)
                {
                    return null;
                }

                Monitor.Wait(_gate);
            }

            return _queue.Dequeue();
        }
    }
}
