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
internal sealed class OwnThread : SynchronizationContext, IBackgroundWork
{
    private readonly Lock _gate = new();
    private readonly Queue<IThreadPoolWorkItem> _queue = new();
    private readonly IBackgroundThread _thread;
    private bool _isStopped;

    /// <param name="name">The thread's name.</param>
    /// <param name="threads">Where the thread is to be had.</param>
    public OwnThread(string name, IBackgroundThreads threads) => _thread = threads.Create(name, this);

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
        if (!TryEnqueue(item, out bool isFirst))
        {
            ThreadPool.UnsafeQueueUserWorkItem(item, preferLocal: false);
        }
        else if (isFirst)
        {
            _thread.Wake();
        }
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
        }

        _thread.End();
    }

    /// <inheritdoc/>
    TimeSpan IBackgroundWork.Rest
    {
        get
        {
            lock (_gate)
            {
                return _queue.Count > 0 || _isStopped ? TimeSpan.Zero : Timeout.InfiniteTimeSpan;
            }
        }
    }

    /// <summary>Runs what has come first.</summary>
    /// <inheritdoc/>
    bool IBackgroundWork.TakeTurn(bool woken)
    {
        IThreadPoolWorkItem? item;
        lock (_gate)
        {
            if (!_queue.TryDequeue(out item))
            {
                return !_isStopped;
            }
        }

        SynchronizationContext? before = Current;
        SetSynchronizationContext(this);
        try
        {
            item.Execute();
        }
        finally
        {
            SetSynchronizationContext(before);
        }

        return true;
    }

    /// <summary>Adds an item to the queue. False if the thread has been stopped.</summary>
    private bool TryEnqueue(IThreadPoolWorkItem item, out bool isFirst)
    {
        lock (_gate)
        {
            isFirst = _queue.Count == 0;
            if (!_isStopped)
            {
                _queue.Enqueue(item);
            }

            return !_isStopped;
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
