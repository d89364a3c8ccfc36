namespace StorageCache.Writeback;

/// <summary>
/// Lets those who want a file synced at the same time share one sync: whoever comes while one runs joins the next, since
/// the one that runs may not cover what they wrote. Thread-safe.
/// </summary>
internal sealed class SyncGroup
{
    private readonly Func<Task> _sync;
    private readonly Lock _lock = new();
    private Task _running = Task.CompletedTask;
    private Task? _next;

    /// <param name="sync">Syncs once; never called while an earlier call runs.</param>
    public SyncGroup(Func<Task> sync) => _sync = sync;

    /// <summary>Completes when a sync that began after this call has ended, with its outcome.</summary>
    public Task SyncAsync()
    {
        lock (_lock)
        {
            if (_next is not null)
            {
                return _next;
            }

            if (_running.IsCompleted)
            {
                return _running = _sync();
            }

            return _next = RunNextAsync(_running);
        }
    }

    /// <summary>Completes, without an error, when no sync runs that has been asked for so far.</summary>
    public async Task WhenIdleAsync()
    {
        Task last;
        lock (_lock)
        {
            last = _next ?? _running;
        }

        await last.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    private async Task RunNextAsync(Task running)
    {
        // Always elsewhere: if this ran on inside the caller's lock, the task that is about to be remembered as the next
        // sync would be over already, and stay the next sync for ever.
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding | ConfigureAwaitOptions.ContinueOnCapturedContext);
        Task sync;
        lock (_lock)
        {
            sync = _sync();
            _running = sync;
            _next = null;
        }

        await sync.ConfigureAwait(true);
    }
}
