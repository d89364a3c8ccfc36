using StorageCache.Platform;

namespace StorageCache.IO;

/// <summary>Runs requests on a bounded set of threads of its own, in the order in which they came.</summary>
/// <remarks>
/// <para>
/// Threads are started when a request finds none idle, up to the maximum (I/O-10), and sleep in the kernel between requests. They
/// are not the thread pool's: a pool whose threads all wait for pages would never run the reads they wait for. The queue is linked
/// through the requests, so queueing allocates nothing (I/O-11).
/// </para>
/// <para>Thread safety: all members may be called from any thread.</para>
/// </remarks>
internal sealed class ThreadIoEngine : IIoEngine
{
    /// <summary>Guards every field below; its wait set is the idle threads.</summary>
    private readonly object _gate = new();

    /// <summary>The threads started so far; the first <see cref="_threadCount"/>.</summary>
    private readonly Thread[] _threads;

    /// <summary>Threads started so far, 0 to the length of <see cref="_threads"/>.</summary>
    private int _threadCount;

    /// <summary>Sleeping threads that no queued request has been promised yet.</summary>
    private int _idle;

    /// <summary>Requests that no thread has taken yet.</summary>
    private RequestQueue _queue;

    /// <summary>Whether <see cref="Dispose"/> has begun: nothing more is taken in.</summary>
    private bool _disposed;

    /// <summary>Makes an engine without any thread as yet.</summary>
    /// <param name="maximumThreads">1 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maximumThreads"/> is less than 1.</exception>
    public ThreadIoEngine(int maximumThreads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maximumThreads, 1);
        _threads = new Thread[maximumThreads];
    }

    /// <inheritdoc/>
    public IoEngine Kind => IoEngine.Threads;

    /// <inheritdoc/>
    public int Places => _threads.Length;

    /// <summary>Threads started so far.</summary>
    public int ThreadCount
    {
        get
        {
            lock (_gate)
            {
                return _threadCount;
            }
        }
    }

    /// <summary>Threads asleep that no queued request has been promised. A snapshot.</summary>
    public int IdleThreadCount
    {
        get
        {
            lock (_gate)
            {
                return _idle;
            }
        }
    }

    /// <summary>Queues a request, to be run by <see cref="IBlockDevice.Execute"/> of its device on one of the threads.</summary>
    /// <remarks>A request that comes after <see cref="Dispose"/>, or for which no thread can be had, fails inside the call (I/O-3).</remarks>
    /// <exception cref="InvalidOperationException">The request is queued already.</exception>
    public void Submit(BlockRequest request, IBlockDevice device)
    {
        // Always on: queueing a request twice would tie the list into a ring.
        if (request.Device is not null)
        {
            throw new InvalidOperationException("The request is queued already.");
        }

        Thread? starting = null;
        lock (_gate)
        {
            if (!_disposed)
            {
                request.Device = device;
                _queue.AddLast(request);
                if (_idle > 0)
                {
                    _idle--;
                    Monitor.Pulse(_gate);
                }
                else if (_threadCount < _threads.Length)
                {
                    starting = new Thread(Run) { IsBackground = true, Name = $"StorageCache I/O {_threadCount + 1}" };
                    _threads[_threadCount++] = starting;
                    StartOrForget(starting);
                }

                if (_threadCount > 0)
                {
                    return;
                }

                // No thread can be had at all, so the queue held nothing but this request.
                _queue = default;
                request.Device = null;
            }
        }

        request.Fail(new BlockIOException(
            $"{request.Operation} at offset {request.Offset} of '{device.Name}' was not started: "
            + (starting is null ? "the I/O engine is closed." : "no I/O thread could be started."),
            starting is null ? Errno.ECANCELED : Errno.EAGAIN));
    }

    /// <summary>Takes nothing more in, runs what is queued to completion, and waits for the threads to end (I/O-12).</summary>
    /// <remarks>Called from one of the engine's own threads it does not wait: that thread cannot wait for itself.</remarks>
    public void Dispose()
    {
        int count;
        lock (_gate)
        {
            _disposed = true;
            count = _threadCount;
            Monitor.PulseAll(_gate);
        }

        ReadOnlySpan<Thread> threads = _threads.AsSpan(0, count);
        if (threads.Contains(Thread.CurrentThread))
        {
            return;
        }

        foreach (Thread thread in threads)
        {
            thread.Join();
        }
    }

    // Runs under the gate, so that Dispose never sees a thread that cannot be joined. The new thread waits for the gate meanwhile.
    private void StartOrForget(Thread thread)
    {
        try
        {
            // Unsafe: the threads must not carry the execution context of whoever happened to need them first.
            thread.UnsafeStart();
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            // The process is out of threads. Those that run will come to the request; the next one may have more luck.
            _threadCount--;
        }
    }

    private void Run()
    {
        while (Dequeue() is { } request)
        {
            IBlockDevice device = request.Device!;
            request.Device = null;
            DeviceBoundary.Execute(device, request);
        }
    }

    /// <summary>Sleeps until there is a request; null when the engine is closed and the queue empty.</summary>
    private BlockRequest? Dequeue()
    {
        lock (_gate)
        {
            while (_queue.IsEmpty)
            {
                if (_disposed)
                {
                    return null;
                }

                // Whoever pulses takes the thread off the count, for another request must not count on it too. A busy thread may get
                // to the request first; then this one comes back here and is idle again.
                _idle++;
                Monitor.Wait(_gate);
            }

            return _queue.TakeFirst();
        }
    }
}
