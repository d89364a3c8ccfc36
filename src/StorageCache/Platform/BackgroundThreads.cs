namespace StorageCache.Platform;

/// <summary>Threads of the operating system. Thread-safe.</summary>
internal sealed class BackgroundThreads : IBackgroundThreads
{
    /// <summary>The only one there is.</summary>
    public static readonly BackgroundThreads Instance = new();

    private BackgroundThreads()
    {
    }

    /// <summary>That of the machine, whatever clock the host gives the cache: threads rest by it.</summary>
    public TimeProvider Clock => TimeProvider.System;

    /// <inheritdoc/>
    public TimeSpan ProcessorTime => ThreadClock.Elapsed;

    /// <inheritdoc/>
    public IBackgroundThread Create(string name, IBackgroundWork work, ThreadPriority priority = ThreadPriority.Normal) =>
        new BackgroundThread(name, work, priority);

    /// <inheritdoc/>
    public Task RunApart(Action action) =>
        Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
