using System.Runtime.ExceptionServices;
using StorageCache.Platform;

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

        // Whose continuations they are is not known: they are not to go on in the cache's own context.
        using OwnThread.Absence absence = OwnThread.Leave();
        s_running = true;
        ExceptionDispatchInfo? thrown = null;
        Waiter? next = waiter;
        while (next is not null)
        {
            try
            {
                next.Run();
            }
            catch (Exception error)
            {
                // Somebody's continuation threw. Those behind it have been resumed and run all the same: nobody else will run them.
                thrown ??= ExceptionDispatchInfo.Capture(error);
            }

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

        s_running = false;
        thrown?.Throw();
    }
}
