using System.Runtime.ExceptionServices;
using StorageCache.Platform;
using StorageCache.Platform.Native;

namespace StorageCache.IO.Ring;

/// <summary>Runs requests through one io_uring: submitted by whoever has them, in batches, and completed by one loop thread.</summary>
/// <remarks>
/// <para>
/// A request goes to the end of a queue, linked through the requests. One thread at a time has the submit side: it takes
/// what is in the queue, describes it to the kernel and enters, again until the queue is empty; whoever comes meanwhile
/// leaves the request in the queue, so submissions that come together go to the kernel together (I/O-16). At most the
/// queue depth is in flight; what does not fit waits in the queue, first come, first served (I/O-17).
/// </para>
/// <para>
/// The loop thread reaps completions in batches. It first frees their places and submits what waits for them, then
/// completes the requests, and runs the continuations that may run in place only after that. What they submit goes to
/// the kernel with the loop's next turn. A continuation that blocks on the cache would wait for the loop that runs it: before it
/// does, another thread takes the loop over (I/O-18).
/// </para>
/// <para>
/// What a ring has no operation for, a change of length or the unaligned end of a file, goes to an engine of threads.
/// </para>
/// </remarks>
internal sealed unsafe partial class RingIoEngine : IIoEngine, IPluggable
{
    /// <summary>The user data of the request that only wakes the loop.</summary>
    private const ulong WakeUp = ulong.MaxValue;

    /// <summary>The engine whose loop runs on this thread.</summary>
    [ThreadStatic]
    private static RingIoEngine? s_loopHere;

    private readonly NativeRing* _ring;
    private readonly ThreadIoEngine _threads;
    private readonly ICompletionBatches? _batches;

    /// <summary>Guards the queue, the free places, <see cref="_isSubmitting"/>, <see cref="_isDisposed"/> and <see cref="_loop"/>.</summary>
    private readonly Lock _gate = new();

    /// <summary>The request in each place; written by the submit side, cleared by the loop.</summary>
    private readonly BlockRequest?[] _inFlight;

    /// <summary>The descriptor that the request in each place keeps open.</summary>
    private readonly Microsoft.Win32.SafeHandles.SafeFileHandle?[] _files;

    private readonly int[] _freePlaces;
    private int _freeCount;
    private RequestQueue _queue;
    private bool _isSubmitting;
    private bool _isDisposed;
    private long _submissions;

    /// <summary>Whether the request that wakes the loop has come through: the engine is closed.</summary>
    private bool _isWoken;
    private Thread _loop;

    /// <summary>The memory that requests may name by entry of the ring's table; null if there is none.</summary>
    private RingMemory? _memory;

    /// <summary>Creates the ring and starts its loop.</summary>
    /// <param name="depth">The most requests in flight, 1 to 4,096.</param>
    /// <param name="maximumThreads">The most threads for what a ring has no operation for, 1 or more.</param>
    /// <param name="batches">Hears of requests that complete together, on the loop's thread; null for nobody.</param>
    /// <exception cref="IoEngineUnavailableException">There is no native library, no ring to be had, or no thread.</exception>
    public RingIoEngine(int depth, int maximumThreads, ICompletionBatches? batches = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(depth, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(depth, 4096);
        if (RingAvailability.Reason is { } reason)
        {
            throw new IoEngineUnavailableException(IoEngine.IoUring, reason);
        }

        // Twice the depth, and so an overflow, never comes: the request that wakes the loop is the only one beyond the depth.
        NativeRing* ring;
        int error = -NativeMethods.RingCreate((uint)Math.Max(depth, BatchSize), (uint)Math.Max(depth, BatchSize) * 2, RingFlags.None, &ring);
        if (error > 0)
        {
            throw new IoEngineUnavailableException(IoEngine.IoUring, RingAvailability.Describe(error));
        }

        // A seccomp filter may let a ring be made and not be used. Better to hear it now than with the first page.
        error = -NativeMethods.RingWait(ring, 1, timeoutNanoseconds: 1);
        if (error is not (0 or Errno.ETIME or Errno.EINTR))
        {
            NativeMethods.RingDestroy(ring);
            throw new IoEngineUnavailableException(IoEngine.IoUring, RingAvailability.Describe(error));
        }

        _ring = ring;
        _batches = batches;
        _inFlight = new BlockRequest?[depth];
        _files = new Microsoft.Win32.SafeHandles.SafeFileHandle?[depth];
        _freePlaces = new int[depth];
        for (int i = 0; i < depth; i++)
        {
            _freePlaces[i] = depth - 1 - i;
        }

        _freeCount = depth;
        _threads = new ThreadIoEngine(maximumThreads);
        _loop = MakeLoop();
        if (!ScarceThread.TryStart(_loop))
        {
            NativeMethods.RingDestroy(_ring);
            throw new IoEngineUnavailableException(IoEngine.IoUring, "No thread could be started.");
        }
    }

    /// <inheritdoc/>
    public IoEngine Kind => IoEngine.IoUring;

    /// <inheritdoc/>
    public int Places => Depth;

    /// <summary>The most requests in flight.</summary>
    public int Depth => _inFlight.Length;

    /// <summary>Requests that the kernel has. A snapshot.</summary>
    public int InFlight
    {
        get
        {
            lock (_gate)
            {
                return Depth - _freeCount;
            }
        }
    }

    /// <summary>System calls that handed requests to the kernel. A snapshot.</summary>
    public long Submissions => Volatile.Read(ref _submissions);

    /// <summary>
    /// Has another thread take a loop over, if the calling thread runs one: it is about to wait for something that only the loop may
    /// bring (I/O-18).
    /// </summary>
    public static void HandLoopOver() => s_loopHere?.HandOver();

    /// <inheritdoc/>
    public IRegisteredMemory? TryRegisterMemory(byte* start, long bytes, out string? refusal) =>
        _memory = RingMemory.TryCreate(_ring, start, bytes, out refusal);

    /// <inheritdoc/>
    public void Submit(BlockRequest request, IBlockDevice device)
    {
        if (device is not FileBlockDevice file || !file.SuitsRing(request))
        {
            _threads.Submit(request, device);
            return;
        }

        // Always on: queueing a request twice would tie the list into a ring.
        if (request.Device is not null)
        {
            throw new InvalidOperationException("The request is queued already.");
        }

        // The loop's thread keeps back what it submits in any case.
        if (s_loopHere != this && SubmissionPlug.TryKeep(this, request, device))
        {
            return;
        }

        RequestQueue one = default;
        request.Device = device;
        one.AddLast(request);
        SubmitKept(one);
    }

    /// <inheritdoc/>
    public void SubmitKept(RequestQueue kept)
    {
        bool submits = false;
        bool refused;
        lock (_gate)
        {
            refused = _isDisposed;
            if (!refused)
            {
                _queue.AddLast(kept);

                // On the loop's thread there is no hurry: the loop comes by when the continuations have run.
                submits = s_loopHere != this && TryBecomeSubmitter();
            }
        }

        if (refused)
        {
            RefuseAll(kept);
        }
        else if (submits)
        {
            SubmitQueued();
        }
    }

    /// <summary>Takes nothing more in, runs what is queued to completion, and ends the loop (I/O-12).</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
        }

        if (s_loopHere == this)
        {
            HandOver();
        }

        WakeLoop();
        Thread? ended = null;
        while (LoopThread is { } loop && loop != ended)
        {
            loop.Join();
            ended = loop;
        }

        // Whoever submitted the last request may still be on the way out.
        TakeSubmitSide();

        // Here and not with the ring, which the kernel takes apart later: what was pinned is free when this returns.
        _memory?.Close();
        int result = NativeMethods.RingDestroy(_ring);
        System.Diagnostics.Debug.Assert(result == 0, "the loop ends when nothing is in flight (I/O-12)");
        _threads.Dispose();
    }

    private Thread LoopThread
    {
        get
        {
            lock (_gate)
            {
                return _loop;
            }
        }
    }

    private static void RefuseAll(RequestQueue refused)
    {
        ExceptionDispatchInfo? thrown = null;
        while (refused.TakeFirst() is { } request)
        {
            string device = request.Device!.Name;
            request.Device = null;
            try
            {
                request.Fail(new BlockIOException(
                    $"{request.Operation} at offset {request.Offset} of '{device}' was not started: the I/O engine is closed.", Errno.ECANCELED));
            }
            catch (Exception error)
            {
                // An owner's. The others have to learn of their failures all the same.
                thrown ??= ExceptionDispatchInfo.Capture(error);
            }
        }

        thrown?.Throw();
    }

    private void HandOver()
    {
        System.Diagnostics.Debug.Assert(s_loopHere == this, "only the loop's own thread hands it over");
        s_loopHere = null;
        ScarceThread.WaitUntil(TryStartLoop);
    }

    private bool TryStartLoop()
    {
        Thread loop = MakeLoop();

        // Under the gate, so that Dispose never sees a thread that cannot be joined.
        lock (_gate)
        {
            if (!ScarceThread.TryStart(loop))
            {
                return false;
            }

            _loop = loop;
            return true;
        }
    }

    private Thread MakeLoop() => new(RunLoop) { IsBackground = true, Name = "StorageCache I/O ring" };
}
