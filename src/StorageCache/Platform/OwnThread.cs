namespace StorageCache.Platform;

/// <summary>
/// A thread of the cache's own for what must go on although every thread of the pool is blocked (T-1): it runs what it is given,
/// in order. Thread-safe.
/// </summary>
/// <remarks>
/// As a synchronization context it takes the continuations of the cache's own asynchronous work (see <see cref="Run"/>), which
/// therefore awaits with <c>ConfigureAwait(true)</c>. Nothing that runs here may block. What comes after <see cref="Stop"/> runs
/// on the thread pool.
/// </remarks>
internal sealed class OwnThread : SynchronizationContext
{
    private readonly object _gate = new();
    private readonly Queue<IThreadPoolWorkItem> _queue = new();
    private readonly Thread _thread;
    private bool _isStopped;

    /// <param name="name">The thread's name.</param>
    public OwnThread(string name) => _thread = new Thread(Loop) { IsBackground = true, Name = name };

    /// <summary>Starts the thread.</summary>
    public void Start() => _thread.Start();

    /// <summary>
    /// Begins asynchronous work on the calling thread; after each wait it goes on on this thread. Whoever awaits the result goes
    /// on elsewhere: the runtime runs no foreign continuation in a context that is not its own.
    /// </summary>
    /// <param name="work">An <c>async</c> method; does not throw itself.</param>
    /// <typeparam name="TTask">The kind of task that it gives.</typeparam>
    public TTask Run<TTask>(Func<TTask> work)
        where TTask : Task
    {
        SynchronizationContext? before = Current;
        SetSynchronizationContext(this);
        try
        {
            return work();
        }
        finally
        {
            SetSynchronizationContext(before);
        }
    }

    /// <summary>
    /// Leaves the context, if the calling thread is in it, for code that is not the cache's: its <c>await</c>s are not to end on
    /// this thread.
    /// </summary>
    public static Absence Leave() => new(Current as OwnThread);

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

    /// <inheritdoc/>
    public override void Post(SendOrPostCallback d, object? state) => Enqueue(new Continuation(d, state));

    /// <summary>Not supported: it would block.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override SynchronizationContext CreateCopy() => this;

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

    private void Loop()
    {
        SetSynchronizationContext(this);
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

    /// <summary>Comes back into the context when it ends.</summary>
    public readonly ref struct Absence
    {
        private readonly OwnThread? _context;

        public Absence(OwnThread? context)
        {
            _context = context;
            if (context is not null)
            {
                SetSynchronizationContext(null);
            }
        }

        public void Dispose()
        {
            if (_context is not null)
            {
                SetSynchronizationContext(_context);
            }
        }
    }

    private sealed class Continuation(SendOrPostCallback callback, object? state) : IThreadPoolWorkItem
    {
        public void Execute() => callback(state);
    }
}
