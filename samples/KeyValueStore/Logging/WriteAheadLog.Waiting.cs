namespace StorageCache.KeyValueStore.Logging;

/// <content>Waiting for LSNs.</content>
internal sealed partial class WriteAheadLog
{
    /// <summary>So many waiters are kept for the next ones at most.</summary>
    private const int MostIdleWaiters = 1024;

    private readonly WaiterQueue _writtenWaiters = new();
    private readonly WaiterQueue _durableWaiters = new();
    private readonly Stack<LogWaiter> _idleWaiters = new();

    /// <summary>Completes once <see cref="WrittenLsn"/> has reached an LSN.</summary>
    /// <inheritdoc cref="EnsureDurableAsync"/>
    public ValueTask EnsureWrittenAsync(ulong lsn, CancellationToken cancellationToken = default) =>
        lsn <= WrittenLsn ? ValueTask.CompletedTask : EnsureAsync(_writtenWaiters, lsn, cancellationToken);

    /// <summary>Completes once <see cref="DurableLsn"/> has reached an LSN. Everybody who waits meanwhile shares one flush.</summary>
    /// <param name="lsn">At most <see cref="NextLsn"/>. One that has been reached completes at once, whatever has become of the log since.</param>
    /// <param name="cancellationToken">Stops waiting; what has begun goes on.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="lsn"/> is above <see cref="NextLsn"/>.</exception>
    /// <exception cref="LogFailedException">The log has failed, and the LSN had not been reached.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public ValueTask EnsureDurableAsync(ulong lsn, CancellationToken cancellationToken = default) =>
        lsn <= DurableLsn ? ValueTask.CompletedTask : EnsureAsync(_durableWaiters, lsn, cancellationToken);

    /// <summary>Takes a waiter out that was cancelled, unless its wait has ended.</summary>
    internal bool TryCancel(LogWaiter waiter)
    {
        lock (_gate)
        {
            if (waiter.Queue is not { } queue)
            {
                return false;
            }

            queue.Remove(waiter);
            waiter.Outcome = LogWaitOutcome.Cancelled;
            return true;
        }
    }

    /// <summary>Keeps a waiter for the next one.</summary>
    internal void Return(LogWaiter waiter)
    {
        lock (_gate)
        {
            if (_idleWaiters.Count < MostIdleWaiters)
            {
                _idleWaiters.Push(waiter);
            }
        }
    }

    /// <summary>Says why the log takes no more: a new exception, as each is thrown by itself.</summary>
    internal Exception MakeEnd()
    {
        lock (_gate)
        {
            return _ended ? new ObjectDisposedException(nameof(WriteAheadLog), $"The log '{Name}' is closed.") : MakeFailure();
        }
    }

    private LogFailedException MakeFailure()
    {
        (ulong lsn, Exception cause) = _failure!.Value;
        return new LogFailedException(Name, lsn, DurableLsn, cause);
    }

    private ValueTask EnsureAsync(WaiterQueue queue, ulong lsn, CancellationToken cancellationToken)
    {
        if (lsn > NextLsn)
        {
            throw new ArgumentOutOfRangeException(nameof(lsn), lsn, $"The LSN is {lsn}; the log '{Name}' has been appended to up to {NextLsn}.");
        }

        return cancellationToken.IsCancellationRequested
            ? ValueTask.FromCanceled(cancellationToken)
            : EnlistAsync(queue, lsn, cancellationToken);
    }

    private ValueTask EnlistAsync(WaiterQueue queue, ulong lsn, CancellationToken cancellationToken)
    {
        bool wake;
        LogWaiter? waiter;
        lock (_gate)
        {
            if (lsn <= (queue == _durableWaiters ? _durable : _written))
            {
                return ValueTask.CompletedTask;
            }

            waiter = TryEnlist(queue, lsn, out wake);
        }

        if (waiter is null)
        {
            return ValueTask.FromException(MakeEnd());
        }

        if (wake)
        {
            _signal.Set();
        }

        ValueTask task = waiter.Task;
        waiter.Register(cancellationToken);
        return task;
    }

    /// <summary>Under the lock: takes a place in a queue. Null if the log has ended.</summary>
    private LogWaiter? TryEnlist(WaiterQueue queue, ulong lsn, out bool wake)
    {
        wake = false;
        if (_ended || _failure is not null)
        {
            return null;
        }

        LogWaiter waiter = _idleWaiters.Count > 0 ? _idleWaiters.Pop() : new LogWaiter(this);
        waiter.Prepare(lsn);
        queue.Insert(waiter);

        // The waiter stands in the queue before the loop is looked at, and the loop looks at the queue before it sleeps, both under the lock:
        // no wake-up is lost (LOG-20).
        wake = TryWake();
        return waiter;
    }

    private void ThrowIfEnded()
    {
        if (_ended || _failure is not null)
        {
            throw MakeEnd();
        }
    }

    private void ThrowUnlessBegun()
    {
        if (_stage != 2)
        {
            throw new InvalidOperationException($"The log '{Name}' is open for reading: it has not been begun.");
        }
    }
}
