using System.Threading.Tasks.Sources;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>Somebody who waits for an LSN to be written or durable. Used again once the result has been fetched.</summary>
/// <remarks>
/// Whoever takes it out of its queue, under the log's lock, decides how the wait ends (LOG-19), and hands it to the thread pool outside the lock.
/// So no continuation runs inside the log, and one that blocks has a thread of its own.
/// </remarks>
internal sealed class LogWaiter(WriteAheadLog log) : IValueTaskSource, IThreadPoolWorkItem
{
    private ManualResetValueTaskSourceCore<bool> _core;
    private CancellationTokenRegistration _registration;
    private CancellationToken _cancellationToken;

    /// <summary>What is waited for.</summary>
    public ulong Lsn { get; private set; }

    /// <summary>How the wait has ended. Written under the lock, before the waiter goes to the pool.</summary>
    public LogWaitOutcome Outcome { get; set; }

    /// <summary>Where it stands, or null. Guarded by the lock.</summary>
    public WaiterQueue? Queue { get; set; }

    /// <summary>Link. Guarded by the lock in a queue, else of whoever has taken it out.</summary>
    public LogWaiter? Next { get; set; }

    /// <summary>Link. Guarded by the lock.</summary>
    public LogWaiter? Before { get; set; }

    /// <summary>What is awaited.</summary>
    public ValueTask Task => new(this, _core.Version);

    /// <summary>Makes it ready for a wait. It stands in no queue.</summary>
    public void Prepare(ulong lsn)
    {
        Lsn = lsn;
        Outcome = LogWaitOutcome.Waiting;
    }

    /// <summary>Lets the wait be cancelled, from now on. Called once, by whoever hands <see cref="Task"/> out afterwards.</summary>
    public void Register(CancellationToken cancellationToken)
    {
        if (cancellationToken.CanBeCanceled)
        {
            _cancellationToken = cancellationToken;
            _registration = cancellationToken.UnsafeRegister(static waiter => ((LogWaiter)waiter!).Cancel(), this);
        }
    }

    /// <summary>Ends the waits of a chain, in order. Called without the lock.</summary>
    public static void Dispatch(LogWaiter? chain)
    {
        while (chain is { } waiter)
        {
            // Read before: once dispatched, the waiter may be used again.
            chain = waiter.Next;
            waiter.Next = null;
            ThreadPool.UnsafeQueueUserWorkItem(waiter, preferLocal: false);
        }
    }

    void IThreadPoolWorkItem.Execute()
    {
        switch (Outcome)
        {
            case LogWaitOutcome.Reached:
                _core.SetResult(true);
                break;
            case LogWaitOutcome.Cancelled:
                _core.SetException(new OperationCanceledException(_cancellationToken));
                break;
            default:
                _core.SetException(log.MakeEnd());
                break;
        }
    }

    void IValueTaskSource.GetResult(short token)
    {
        // Throws for whoever asks a second time, or too early, and has no business here.
        if (_core.GetStatus(token) == ValueTaskSourceStatus.Pending)
        {
            throw new InvalidOperationException("The log has not answered yet.");
        }

        try
        {
            _core.GetResult(token);
        }
        finally
        {
            // Waits for a cancellation that is under way, which so never meets the next wait.
            _registration.Dispose();
            _registration = default;
            _cancellationToken = default;
            _core.Reset();
            log.Return(this);
        }
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    private void Cancel()
    {
        if (log.TryCancel(this))
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }
}
