namespace StorageCache.Platform;

/// <summary>Gives turns to one <see cref="IBackgroundWork"/>. Thread-safe.</summary>
internal interface IBackgroundThread
{
    /// <summary>Begins to give turns. Once.</summary>
    /// <exception cref="OutOfMemoryException">The process may have no more threads.</exception>
    void Start();

    /// <summary>Has the next turn come without a rest. What the caller has done before is seen by that turn.</summary>
    void Wake();

    /// <summary>
    /// Wakes the thread and returns when the work has had its last turn: its next one is to end it. Not to be called within a turn. Does
    /// nothing if the thread was never started.
    /// </summary>
    void End();
}
