namespace StorageCache.Platform;

/// <summary>
/// What a part of the cache does in the background, turn by turn. It has no thread of its own: an <see cref="IBackgroundThread"/> gives it
/// turns, one at a time.
/// </summary>
internal interface IBackgroundWork
{
    /// <summary>
    /// How long after one turn the next one is due if nobody wakes the thread; <see cref="TimeSpan.Zero"/> for at once,
    /// <see cref="Timeout.InfiniteTimeSpan"/> for not at all. Asked before each turn, by whoever gives it.
    /// </summary>
    TimeSpan Rest { get; }

    /// <summary>Takes a turn. Waits for nothing that a turn of another part, or I/O, may have to bring (T-2).</summary>
    /// <param name="woken">Whether somebody has woken the thread since the last turn, or there was to be no rest.</param>
    /// <returns>Whether there is to be another turn.</returns>
    bool TakeTurn(bool woken);
}
