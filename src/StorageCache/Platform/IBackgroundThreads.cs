namespace StorageCache.Platform;

/// <summary>
/// Where a cache's background work gets its turns from: threads as a rule, or a simulation that gives the turns itself, in an order of
/// its own. Thread-safe.
/// </summary>
internal interface IBackgroundThreads
{
    /// <summary>The clock by which background work rests, and by which it measures how long it may go on.</summary>
    TimeProvider Clock { get; }

    /// <summary>How much processor time the calling thread has used.</summary>
    TimeSpan ProcessorTime { get; }

    /// <summary>Makes a thread that has not been started.</summary>
    /// <param name="name">The thread's name.</param>
    /// <param name="work">What it gives turns to.</param>
    /// <param name="priority">How the operating system is to treat it.</param>
    IBackgroundThread Create(string name, IBackgroundWork work, ThreadPriority priority = ThreadPriority.Normal);

    /// <summary>Runs something once that blocks, on a thread that nothing else is waiting for.</summary>
    Task RunApart(Action action);
}
