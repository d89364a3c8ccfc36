namespace StorageCache.Platform;

/// <summary>Starting threads in a process that may have none left. Thread-safe.</summary>
internal static class ScarceThread
{
    /// <summary>Starts a thread, without the caller's execution context. Returns false if the process may have no more of them now.</summary>
    public static bool TryStart(Thread thread)
    {
        try
        {
            thread.UnsafeStart();
            return true;
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            return false;
        }
    }

    /// <summary>
    /// Tries until somebody is found to whom a thread that is about to block can leave its work. It stands in a wait list by then and must
    /// not fail: what it waits for would be given to nobody. So where the process is out of threads, it waits for one first.
    /// </summary>
    public static void WaitUntil(Func<bool> tryLeaveWork)
    {
        while (!tryLeaveWork())
        {
            Thread.Sleep(1);
        }
    }
}
