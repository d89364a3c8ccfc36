using System.Diagnostics;

namespace StorageCache.Workloads.Hit;

/// <summary>
/// Dedicated threads that run one loop at the same time, each over its own sequence of pages. Used from one thread.
/// </summary>
internal sealed class HitWorkers : IDisposable
{
    private readonly Barrier _startAndEnd;
    private readonly Barrier _measuring;
    private readonly Thread[] _threads;
    private readonly WorkerResult[] _results;
    private HitJob? _job;

    /// <summary>Starts the threads.</summary>
    /// <param name="count">How many.</param>
    public HitWorkers(int count)
    {
        _startAndEnd = new Barrier(count + 1);
        _measuring = new Barrier(count);
        _results = new WorkerResult[count];
        _threads = new Thread[count];
        for (int i = 0; i < count; i++)
        {
            int index = i;
            _threads[i] = new Thread(() => Work(index)) { IsBackground = true, Name = $"hit {i}" };
            _threads[i].Start();
        }
    }

    /// <summary>Runs a loop on every thread: first unmeasured, to fill the processor's caches, then measured.</summary>
    public HitMeasurement Run(HitJob job)
    {
        _job = job;
        _startAndEnd.SignalAndWait();
        _startAndEnd.SignalAndWait();
        Exception[] errors = [.. _results.Select(result => result.Error).OfType<Exception>()];
        if (errors.Length > 0)
        {
            throw new AggregateException(errors);
        }

        double operations = (double)job.Operations * _threads.Length;
        long elapsed = _results.Max(result => result.End) - _results.Min(result => result.Start);
        return new HitMeasurement(
            elapsed * (1e9 / Stopwatch.Frequency) / operations,
            _results.Sum(result => result.AllocatedBytes) / operations,
            _results.Sum(result => result.Sum));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _job = null;
        _startAndEnd.SignalAndWait();
        foreach (Thread thread in _threads)
        {
            thread.Join();
        }

        _startAndEnd.Dispose();
        _measuring.Dispose();
    }

    private void Work(int index)
    {
        while (true)
        {
            _startAndEnd.SignalAndWait();
            if (_job is not { } job)
            {
                return;
            }

            _results[index] = Measure(job, index);
            _startAndEnd.SignalAndWait();
        }
    }

    private WorkerResult Measure(HitJob job, int index)
    {
        int[] pages = job.Pattern.Sequences[index];
        Exception? error = null;
        try
        {
            job.Loop.Run(pages, job.First - HitJob.BatchSize, HitJob.BatchSize);
        }
        catch (Exception failure)
        {
            error = failure;
        }

        _measuring.SignalAndWait();
        long sum = 0;
        long allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
        long start = Stopwatch.GetTimestamp();
        try
        {
            for (int batch = 0; batch < job.Batches; batch++)
            {
                sum += job.Loop.Run(pages, job.First + (batch * HitJob.BatchSize), HitJob.BatchSize);
            }
        }
        catch (Exception failure)
        {
            error = failure;
        }

        long end = Stopwatch.GetTimestamp();
        long allocated = GC.GetAllocatedBytesForCurrentThread() - allocatedBefore;
        return new WorkerResult(start, end, allocated, sum, error);
    }

    private readonly record struct WorkerResult(long Start, long End, long AllocatedBytes, long Sum, Exception? Error);
}
