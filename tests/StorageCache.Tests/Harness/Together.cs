using System.Collections.Concurrent;

namespace StorageCache.Tests.Harness;

/// <summary>Threads of their own that begin at one moment.</summary>
internal static class Together
{
    /// <summary>Runs something on several threads, each with its number, and waits for all. Throws what they threw.</summary>
    public static void Run(int threads, Action<int> work)
    {
        ConcurrentQueue<Exception> errors = [];
        using Barrier barrier = new(threads);
        Thread[] all = [.. Enumerable.Range(0, threads).Select(number => new Thread(() =>
        {
            try
            {
                barrier.SignalAndWait();
                work(number);
            }
            catch (Exception error)
            {
                errors.Enqueue(error);
            }
        }))];
        Array.ForEach(all, thread => thread.Start());
        Array.ForEach(all, thread => thread.Join());
        if (!errors.IsEmpty)
        {
            throw new AggregateException(errors);
        }
    }
}
