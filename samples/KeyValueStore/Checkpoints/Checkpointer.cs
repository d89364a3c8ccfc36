using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Logging;

namespace StorageCache.KeyValueStore.Checkpoints;

/// <summary>Moves the redo point forward, in the background, so that a crash never costs more than so much redo.</summary>
/// <remarks>
/// <para>
/// A checkpoint is fuzzy: it takes the writer lock only to note the redo point (<paramref name="begin"/>), and then writes what is dirty while readers and
/// writers go on. In order (KV-17): the log is durable up to the redo point; the pages are; the meta page says so; and then the segments below are used again.
/// </para>
/// <para>Thread-safe.</para>
/// </remarks>
/// <param name="mapping">The store's pages.</param>
/// <param name="log">The log.</param>
/// <param name="meta">The meta page.</param>
/// <param name="begin">Notes the redo point between two changes.</param>
/// <param name="interval">Bytes of log after which a checkpoint begins.</param>
/// <param name="time">The clock for pauses after a failure.</param>
internal sealed class Checkpointer(
    Mapping mapping, WriteAheadLog log, StoreMeta meta, Func<CancellationToken, ValueTask<CheckpointStart>> begin, long interval, TimeProvider time)
    : IAsyncDisposable
{
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();

    /// <summary>The attempts in the background, for as long as there is something to do. Under the lock.</summary>
    private Task _background = Task.CompletedTask;

    /// <summary>Whether another attempt is sure to end in the background: taken back under the lock, by who has seen there that nothing is to be done.</summary>
    private bool _isTrying;

    /// <summary>Whether the last attempt has failed and the next one is some time away: nobody waits for that. Under the lock.</summary>
    private bool _isPausing;

    /// <summary>Completes with the attempt under way, however it ends. Under the lock.</summary>
    private TaskCompletionSource _attempt = NewAttempt();
    private long _completed;

    /// <summary>Checkpoints so far.</summary>
    public long Completed => Volatile.Read(ref _completed);

    private long LogBytes => (long)(log.NextLsn - log.RedoPoint);

    /// <summary>To be called after a change: begins a checkpoint in the background when it is time.</summary>
    public void Note()
    {
        if (LogBytes < interval)
        {
            return;
        }

        lock (_lock)
        {
            Begin();
        }
    }

    /// <summary>To be awaited before a change, without the writer lock: lets nobody get further ahead of the checkpoint than one interval.</summary>
    /// <remarks>Who has waited for an attempt that failed goes on: the log has room for as long as the disk has.</remarks>
    public ValueTask WaitForRoomAsync(CancellationToken cancellationToken) =>
        LogBytes < 2 * interval ? ValueTask.CompletedTask : new ValueTask(WaitForAttemptAsync(cancellationToken));

    /// <summary>Makes a checkpoint now, after the one under way.</summary>
    /// <param name="state">What the meta page is to say afterwards: clean if nobody changes anything any more.</param>
    /// <param name="cancellationToken">Gives up; the redo point is as before.</param>
    public async ValueTask RunAsync(StoreState state, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            CheckpointStart start = await begin(cancellationToken).ConfigureAwait(false);
            bool isNew = start.RedoPoint != meta.Current.RedoPoint || state != meta.Current.State;
            if (isNew)
            {
                await MoveRedoPointAsync(start, state, cancellationToken).ConfigureAwait(false);
            }

            // Also if the meta page says all that already: the log may have failed before it was told, and then this has to fail again, or it would be tried for ever.
            await log.RecycleBelowAsync(start.RedoPoint, cancellationToken).ConfigureAwait(false);
            Interlocked.Add(ref _completed, isNew ? 1 : 0);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Stops what is done in the background, and waits for it.</summary>
    public async ValueTask DisposeAsync()
    {
        Task background;
        lock (_lock)
        {
            _stop.Cancel();
            background = _background;
        }

        await background.ConfigureAwait(false);
    }

    private static TaskCompletionSource NewAttempt() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async ValueTask MoveRedoPointAsync(CheckpointStart start, StoreState state, CancellationToken cancellationToken)
    {
        await log.EnsureDurableAsync(start.RedoPoint, cancellationToken).ConfigureAwait(false);

        // Pages at the end that nobody has written yet are part of it: a file that is shorter than its redo point says has been cut off.
        await mapping.ExtendAsync(start.Contents.PageCount * mapping.PageSize, cancellationToken).ConfigureAwait(false);
        CheckpointResult result = await mapping.CheckpointAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
        if (result.OldestLsn <= start.RedoPoint)
        {
            throw new IOException($"A page of '{mapping.Path}' has a change with the LSN {result.OldestLsn} that a checkpoint of the time after it has not made durable.");
        }

        await meta.WriteAsync(
            current => current with { State = state, RedoPoint = start.RedoPoint, Checkpoint = current.Checkpoint + 1, Contents = start.Contents },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Has the background try, unless it does. The lock is held.</summary>
    private void Begin()
    {
        if (!_isTrying && !_stop.IsCancellationRequested)
        {
            _isTrying = true;
            _background = Task.Run(RunInBackgroundAsync);
        }
    }

    private async Task WaitForAttemptAsync(CancellationToken cancellationToken)
    {
        Task attempt;
        lock (_lock)
        {
            // Looked at again: the last attempt may have ended meanwhile, and there may be no other.
            if (LogBytes < 2 * interval || _isPausing || _stop.IsCancellationRequested)
            {
                return;
            }

            Begin();
            attempt = _attempt.Task;
        }

        await attempt.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task RunInBackgroundAsync()
    {
        TimeSpan pause = s_firstPause;
        while (GoesOn())
        {
            bool hasSucceeded = await TryRunAsync().ConfigureAwait(false);
            EndAttempt(pauses: !hasSucceeded);
            if (hasSucceeded)
            {
                pause = s_firstPause;
                continue;
            }

            await Task.Delay(pause, time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
        }

        EndAttempt(pauses: false);
    }

    /// <summary>Whether there is to be another attempt; if not, the next one who needs it begins anew.</summary>
    private bool GoesOn()
    {
        lock (_lock)
        {
            _isPausing = false;
            _isTrying = LogBytes >= interval && !_stop.IsCancellationRequested;
            return _isTrying;
        }
    }

    /// <summary>One attempt. A failure is nobody's who waits here: the cache says what cannot be written, and the next change what is wrong with the log.</summary>
    private async Task<bool> TryRunAsync()
    {
        try
        {
            await RunAsync(StoreState.InFlux, _stop.Token).ConfigureAwait(false);
            return true;
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <summary>Lets go who waits for the attempt.</summary>
    private void EndAttempt(bool pauses)
    {
        TaskCompletionSource ended;
        lock (_lock)
        {
            _isPausing = pauses;
            ended = _attempt;
            _attempt = NewAttempt();
        }

        ended.SetResult();
    }
}
