using StorageCache.Platform;

namespace StorageCache.IO;

/// <summary>Runs requests on a bounded set of threads of its own, in the order in which they came.</summary>
/// <remarks>
/// <para>
/// Threads are started when a request finds none idle, up to the maximum (I/O-10), and sleep in the kernel between requests. They
/// are not the thread pool's: a pool whose threads all wait for pages would never run the reads they wait for. The queue is linked
/// through the requests, so queueing allocates nothing (I/O-11).
/// </para>
/// <para>
/// A completion may run a continuation of the host's. One that blocks on the cache may wait for what stands in this queue: before it
/// does, its thread leaves the set, and another one takes its place (I/O-18).
/// </para>
/// <para>Thread safety: all members may be called from any thread.</para>
/// </remarks>
internal sealed class ThreadIoEngine : IIoEngine
{
    /// <summary>The engine whose requests this thread runs; null for a thread that has left the set.</summary>
    [ThreadStatic]
    private static ThreadIoEngine? s_engineHere;

    /// <summary>Guards every field below; its wait set is the idle threads.</summary>
    private readonly object _gate = new();

    /// <summary>The threads that run requests; the first <see cref="_threadCount"/>.</summary>
    private readonly Thread[] _threads;

    /// <summary>Threads that run requests, 0 to the length of <see cref="_threads"/>.</summary>
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

    /// <summary>Threads that run requests: those started so far, less those that have left. A snapshot.</summary>
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

    /// <summary>
    /// Has another thread run what is queued, if the calling thread runs an engine's requests: it is about to wait for something that only
    /// they may bring (I/O-18).
    /// </summary>
    public static void LeaveHere() => s_engineHere?.Leave();

    /// <inheritdoc/>
    public unsafe IRegisteredMemory? TryRegisterMemory(byte* start, long bytes, out string? refusal)
    {
        refusal = $"The I/O engine {Kind} has no use for it.";
        return null;
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

        bool noThread = false;
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
                    TryStartThread();
                }

                // The first of several has a thread on its way to it, or somebody who looks for one.
                if (_threadCount > 0 || !_queue.BeginsWith(request))
                {
                    return;
                }

                // No thread can be had at all, so the queue held nothing but this request.
                noThread = true;
                _queue = default;
                request.Device = null;
            }
        }

        request.Fail(new BlockIOException(
            $"{request.Operation} at offset {request.Offset} of '{device.Name}' was not started: "
            + (noThread ? "no I/O thread could be started." : "the I/O engine is closed."),
            noThread ? Errno.EAGAIN : Errno.ECANCELED));
    }

    /// <summary>Takes nothing more in, runs what is queued to completion, and waits for the threads to end (I/O-12).</summary>
    /// <remarks>Called from one of the engine's own threads it does not wait: that thread cannot wait for itself.</remarks>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            Monitor.PulseAll(_gate);
        }

        if (s_engineHere == this)
        {
            return;
        }

        // One that leaves while it is waited for may have had another take its place, or be looking for one still.
        while (TryFindUnfinished(out Thread? thread))
        {
            if (thread is null)
            {
                Thread.Sleep(1);
            }
            else
            {
                thread.Join();
            }
        }
    }

    /// <summary>
    /// Starts another thread, if the process may have one. Under the gate, so that Dispose never sees a thread that cannot be joined; the
    /// new thread waits for the gate meanwhile.
    /// </summary>
    private bool TryStartThread()
    {
        Thread thread = new(Run) { IsBackground = true, Name = $"StorageCache I/O {_threadCount + 1}" };
        if (!ScarceThread.TryStart(thread))
        {
            // Those that run will come to what is queued; the next request may have more luck.
            return false;
        }

        _threads[_threadCount++] = thread;
        return true;
    }

    /// <summary>Takes the calling thread out of the set: it runs no more requests.</summary>
    private void Leave()
    {
        s_engineHere = null;
        lock (_gate)
        {
            int place = _threads.AsSpan(0, _threadCount).IndexOf(Thread.CurrentThread);
            if (place >= 0)
            {
                _threads[place] = _threads[--_threadCount];
            }
        }

        ScarceThread.WaitUntil(IsQueueLookedAfter);
    }

    /// <summary>Whether some thread is going to come to what is queued; starts one if not.</summary>
    private bool IsQueueLookedAfter()
    {
        lock (_gate)
        {
            if (_queue.IsEmpty || _idle > 0)
            {
                // Who queues the next request wakes or starts a thread for it.
                return true;
            }

            return (_threadCount < _threads.Length && TryStartThread()) || _threadCount > 0;
        }
    }

    /// <summary>Whether requests are queued or run: then the thread to wait for, or null if none has been found for them yet.</summary>
    private bool TryFindUnfinished(out Thread? running)
    {
        lock (_gate)
        {
            running = null;
            foreach (Thread thread in _threads.AsSpan(0, _threadCount))
            {
                running = thread.IsAlive ? thread : running;
            }

            return running is not null || !_queue.IsEmpty;
        }
    }

    private void Run()
    {
        s_engineHere = this;
        while (s_engineHere == this && Dequeue() is { } request)
        {
            IBlockDevice device = request.Device!;
            request.Device = null;
            DeviceBoundary.Execute(device, request);
        }

        s_engineHere = null;
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
