namespace StorageCache.Tests.Harness;

/// <summary>Blocks every thread of the pool until it is disposed of.</summary>
internal sealed class StarvedThreadPool : IDisposable
{
    private readonly ManualResetEventSlim _gate = new();
    private readonly int _workers;
    private readonly int _completion;
    private readonly int _least;
    private readonly int _leastCompletion;
    private int _blocked;

    public StarvedThreadPool()
    {
        ThreadPool.GetMaxThreads(out _workers, out _completion);
        ThreadPool.GetMinThreads(out _least, out _leastCompletion);
        ThreadPool.SetMinThreads(1, _leastCompletion);
        int most = Environment.ProcessorCount;
        ThreadPool.SetMaxThreads(most, _completion);
        for (int i = 0; i < 64; i++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                _ =>
                {
                    Interlocked.Increment(ref _blocked);
                    _gate.Wait();
                },
                null);
        }

        // The thread that calls may be one of the pool's, and the test runner may hold some: perhaps none is left to block.
        int before = -1;
        while (before != _blocked || ThreadPool.ThreadCount < most)
        {
            before = _blocked;
            Thread.Sleep(100);
        }

        if (_blocked == 64)
        {
            throw new InvalidOperationException("The thread pool has no bound.");
        }
    }

    public void Dispose()
    {
        ThreadPool.SetMaxThreads(_workers, _completion);
        ThreadPool.SetMinThreads(_least, _leastCompletion);
        _gate.Set();
    }
}
