using System.Diagnostics;
using System.Threading.Tasks.Sources;
using StorageCache.Platform;

namespace StorageCache.Writeback;

/// <summary>Asynchronous code that waits for permits. It goes on on the cache's own thread (T-1), and a wait allocates nothing.</summary>
/// <remarks>
/// The runtime's own core of a reusable source would post to the context that was captured, which costs two objects each time. Here the
/// context is known: the waiter queues itself to the thread. Thread safety: one party at a time waits.
/// </remarks>
internal sealed class AwaitedPermitWaiter : PermitWaiter, IValueTaskSource<int>, IThreadPoolWorkItem
{
    /// <summary>Stands for a continuation that is to be run as soon as it comes.</summary>
    private static readonly Action<object?> s_isOver = static _ => Debug.Fail("never run");

    private readonly WritePermits _permits;
    private readonly OwnThread _thread;
    private Action<object?>? _continuation;
    private Action<object?>? _next;
    private object? _state;
    private CancellationTokenRegistration _registration;
    private CancellationToken _cancellation;
    private int _granted;
    private short _version;

    /// <param name="permits">What is waited for.</param>
    /// <param name="thread">Where waits end.</param>
    public AwaitedPermitWaiter(WritePermits permits, OwnThread thread)
    {
        _permits = permits;
        _thread = thread;
    }

    /// <summary>Prepares the next wait; the waiter stands in no line.</summary>
    public void Begin()
    {
        _version++;
        _continuation = null;
        _granted = 0;
    }

    /// <summary>The wait that has begun. The waiter stands in line, or has left it.</summary>
    /// <param name="cancellationToken">Takes it out of the line.</param>
    public ValueTask<int> WhenGranted(CancellationToken cancellationToken)
    {
        _cancellation = cancellationToken;
        _registration = cancellationToken.UnsafeRegister(
            static state =>
            {
                var waiter = (AwaitedPermitWaiter)state!;
                waiter._permits.Cancel(waiter);
            },
            this);
        return new ValueTask<int>(this, _version);
    }

    /// <inheritdoc/>
    public override void OnGranted(int permits)
    {
        _granted = permits;
        if (Interlocked.CompareExchange(ref _continuation, s_isOver, null) is { } continuation)
        {
            Run(continuation);
        }
    }

    /// <inheritdoc/>
    int IValueTaskSource<int>.GetResult(short token)
    {
        Debug.Assert(token == _version, "a wait is awaited once");

        // Afterwards no cancellation of this wait can reach the next one: it waits for a callback that is running.
        _registration.Dispose();
        _registration = default;
        if (_granted == 0)
        {
            throw new OperationCanceledException(_cancellation);
        }

        return _granted;
    }

    /// <inheritdoc/>
    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) =>
        Volatile.Read(ref _continuation) != s_isOver ? ValueTaskSourceStatus.Pending
        : _granted == 0 ? ValueTaskSourceStatus.Canceled
        : ValueTaskSourceStatus.Succeeded;

    /// <inheritdoc/>
    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        _state = state;
        if (Interlocked.CompareExchange(ref _continuation, continuation, null) is not null)
        {
            Run(continuation);
        }
    }

    /// <inheritdoc/>
    void IThreadPoolWorkItem.Execute()
    {
        Action<object?> next = _next!;
        object? state = _state;
        _next = null;
        _state = null;
        next(state);
    }

    private void Run(Action<object?> continuation)
    {
        Volatile.Write(ref _continuation, s_isOver);
        _next = continuation;
        _thread.Enqueue(this);
    }
}
