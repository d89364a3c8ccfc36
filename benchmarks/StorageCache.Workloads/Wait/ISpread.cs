namespace StorageCache.Workloads.Wait;

/// <summary>Many waiters, each parked on a buffer of its own, and a few more buffers that are waited for and woken in turn.</summary>
internal interface ISpread
{
    /// <summary>
    /// Parks one waiter on a buffer nobody else waits for, wakes it, and goes on to the next buffer, while everyone else
    /// stays parked.
    /// </summary>
    WakeResult Wake(int wakes);
}
