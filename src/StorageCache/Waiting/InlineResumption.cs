namespace StorageCache.Waiting;

/// <summary>
/// Runs resumed waiters on the current thread, one after the other: a continuation that releases a latch and so resumes
/// the next waiter does not run it deeper in the stack, but after itself.
/// </summary>
internal static class InlineResumption
{
    [ThreadStatic]
    private static Waiter? s_first;

    [ThreadStatic]
    private static Waiter? s_last;

    [ThreadStatic]
    private static bool s_running;

    /// <summary>Runs a waiter now, or after the one that is running on this thread.</summary>
    public static void Run(Waiter waiter)
    {
        if (s_running)
        {
            waiter.NextReady = null;
            if (s_last is null)
            {
                s_first = waiter;
            }
            else
            {
                s_last.NextReady = waiter;
            }

            s_last = waiter;
            return;
        }

        s_running = true;
        try
        {
            Waiter? next = waiter;
            do
            {
                next.Run();
                next = s_first;
                if (next is not null)
                {
                    s_first = next.NextReady;
                    next.NextReady = null;
                    if (s_first is null)
                    {
                        s_last = null;
                    }
                }
            }
            while (next is not null);
        }
        finally
        {
            s_running = false;

            // Only if somebody's continuation threw: those behind it must not wait for this thread to come by again.
            for (Waiter? stranded = s_first; stranded is not null; stranded = s_first)
            {
                s_first = stranded.NextReady;
                stranded.NextReady = null;
                ThreadPool.UnsafeQueueUserWorkItem(stranded, preferLocal: false);
            }

            s_last = null;
        }
    }
}
