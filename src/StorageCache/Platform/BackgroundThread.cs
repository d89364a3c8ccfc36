namespace StorageCache.Platform;

/// <summary>A thread of the operating system that gives turns to one piece of work. Thread-safe.</summary>
internal sealed class BackgroundThread : IBackgroundThread
{
    private readonly AutoResetEvent _wake = new(false);
    private readonly IBackgroundWork _work;
    private readonly Thread _thread;

    /// <param name="name">The thread's name.</param>
    /// <param name="work">What it gives turns to.</param>
    /// <param name="priority">How the operating system is to treat it.</param>
    public BackgroundThread(string name, IBackgroundWork work, ThreadPriority priority)
    {
        _work = work;
        _thread = new Thread(Run) { IsBackground = true, Name = name, Priority = priority };
    }

    /// <inheritdoc/>
    public void Start() => _thread.Start();

    /// <inheritdoc/>
    public void Wake() => _wake.Set();

    /// <inheritdoc/>
    public void End()
    {
        Wake();
        if (_thread.IsAlive)
        {
            _thread.Join();
        }
    }

    private void Run()
    {
        bool woken;
        do
        {
            TimeSpan rest = _work.Rest;
            woken = rest == TimeSpan.Zero || _wake.WaitOne(rest);
        }
        while (_work.TakeTurn(woken));
    }
}
