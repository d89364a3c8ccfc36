namespace StorageCache.IO;

/// <summary>
/// Hears of requests that an engine completes together, and may put what their completions ask for off until all of them are
/// complete. Thread-safe.
/// </summary>
internal interface ICompletionBatches
{
    /// <summary>The calling thread is about to complete requests, one after the other, and does nothing else until <see cref="End"/>.</summary>
    void Begin();

    /// <summary>The calling thread has completed them. What was put off may run in here; it may block (I/O-18).</summary>
    void End();
}
