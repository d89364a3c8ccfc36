using System.Runtime.ExceptionServices;
using StorageCache.IO;
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

    /// <summary>Whether waiters are kept rather than run: somebody further up the stack will run them.</summary>
    [ThreadStatic]
    private static bool s_holding;

    /// <summary>How many <see cref="Bar"/>s there are on this thread.</summary>
    [ThreadStatic]
    private static int s_bars;

    /// <summary>Whether waiters may go on on this thread.</summary>
    public static bool IsAllowed => s_bars == 0;

    /// <summary>
    /// Has waiters that this thread resumes go on on the thread pool, until the result is disposed of: for one who holds what others
    /// wait for and would keep it for as long as their code runs, or for ever if it throws.
    /// </summary>
    public static Bar Forbid()
    {
        s_bars++;
        return default;
    }

    /// <summary>Runs a waiter now, or after those that this thread has to run already.</summary>
    public static void Run(Waiter waiter)
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
        if (!s_holding)
        {
            s_holding = true;
            Release();
        }
    }

    /// <summary>From here on, waiters of this thread are kept until <see cref="Release"/>.</summary>
    public static void Hold() => s_holding = true;

    /// <summary>As <see cref="Hold"/>. False if somebody further up the stack keeps waiters already, who is also the one to release them.</summary>
    public static bool TryHold()
    {
        bool wasHolding = s_holding;
        s_holding = true;
        return !wasHolding;
    }

    /// <summary>
    /// Has others run the waiters that this thread keeps: it is about to block, perhaps for what one of them has been given (W-14).
    /// </summary>
    public static void HandOver()
    {
        while (TakeFirst() is { } waiter)
        {
            waiter.RunElsewhere();
        }
    }

    /// <summary>Runs what was kept, and what is resumed meanwhile. Throws what the first continuation threw that did.</summary>
    public static void Release()
    {
        if (s_first is null)
        {
            s_holding = false;
            return;
        }

        // Whose continuations they are is not known: they are not to go on in the cache's own context, nor may they wait in their
        // own ways for what this thread keeps back (I/O-19).
        using OwnThread.Absence absence = OwnThread.Leave();
        using SubmissionPlug.Suspension unplugged = SubmissionPlug.Suspend();
        ExceptionDispatchInfo? thrown = null;
        while (TakeFirst() is { } waiter)
        {
            try
            {
                waiter.Run();
            }
            catch (Exception error)
            {
                // Somebody's continuation threw. Those behind it have been resumed and run all the same: nobody else will run them.
                thrown ??= ExceptionDispatchInfo.Capture(error);
            }
        }

        s_holding = false;
        thrown?.Throw();
    }

    /// <summary>Ends with its thread as it was before.</summary>
    public readonly ref struct Bar
    {
        /// <summary>Lets waiters go on on this thread again.</summary>
        public void Dispose() => s_bars--;
    }

    private static Waiter? TakeFirst()
    {
        Waiter? waiter = s_first;
        if (waiter is not null)
        {
            s_first = waiter.NextReady;
            waiter.NextReady = null;
            if (s_first is null)
            {
                s_last = null;
            }
        }

        return waiter;
    }
}
