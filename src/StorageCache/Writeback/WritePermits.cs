using StorageCache.Waiting;

namespace StorageCache.Writeback;

/// <summary>
/// One permit per write that may be under way in a cache. First come, first served; a permit goes straight to the one who has
/// waited longest, and through no thread of the pool (T-1). Thread-safe.
/// </summary>
internal sealed class WritePermits
{
    private readonly Lock _lock = new();
    private readonly Queue<TaskCompletionSource> _waiting = new();

    /// <summary>Permits to be had; below zero while writes are under way for which none was waited for.</summary>
    private int _free;

    /// <param name="count">How many there are.</param>
    public WritePermits(int count) => _free = count;

    /// <summary>Permits that could be taken now.</summary>
    public int Available
    {
        get
        {
            lock (_lock)
            {
                return _free;
            }
        }
    }

    /// <summary>Takes a permit; blocks the calling thread until there is one.</summary>
    public void Take()
    {
        if (TakeOrWait() is { } waiting)
        {
            BlockingNotice.Announce();
            waiting.Task.Wait();
        }
    }

    /// <summary>Takes a permit.</summary>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit is taken.</exception>
    public async Task TakeAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (TakeOrWait() is { } waiting)
        {
            using (cancellationToken.UnsafeRegister(static (state, token) => ((TaskCompletionSource)state!).TrySetCanceled(token), waiting))
            {
                await waiting.Task.ConfigureAwait(true);
            }
        }
    }

    /// <summary>
    /// Takes a permit that may not be there yet, without waiting for it: for a part of a write that had its permit and failed. Its
    /// end releases a permit as any write's does.
    /// </summary>
    public void Borrow()
    {
        lock (_lock)
        {
            _free--;
        }
    }

    /// <summary>Gives a permit back.</summary>
    public void Release()
    {
        // Its continuation runs here, so no lock is held. One who was cancelled is passed over.
        TaskCompletionSource? next = AddAndServe();
        while (next is not null && !next.TrySetResult())
        {
            next = AddAndServe();
        }
    }

    private TaskCompletionSource? AddAndServe()
    {
        lock (_lock)
        {
            if (_free >= 0 && _waiting.TryDequeue(out TaskCompletionSource? next))
            {
                return next;
            }

            _free++;
            return null;
        }
    }

    /// <summary>Takes a permit, or stands in line; null if it was taken.</summary>
    private TaskCompletionSource? TakeOrWait()
    {
        lock (_lock)
        {
            if (_free > 0)
            {
                _free--;
                return null;
            }

            TaskCompletionSource waiting = new();
            _waiting.Enqueue(waiting);
            return waiting;
        }
    }
}
