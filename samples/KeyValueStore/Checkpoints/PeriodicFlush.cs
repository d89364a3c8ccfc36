using StorageCache.KeyValueStore.Logging;

namespace StorageCache.KeyValueStore.Checkpoints;

/// <summary>Makes durable, every so often, what the log has written (<see cref="KeyValueDurability.Written"/>). Thread-safe.</summary>
internal sealed class PeriodicFlush : IAsyncDisposable
{
    private readonly WriteAheadLog _log;
    private readonly ITimer _timer;
    private int _isFlushing;

    public PeriodicFlush(WriteAheadLog log, TimeSpan interval, TimeProvider time)
    {
        _log = log;
        _timer = time.CreateTimer(static state => ((PeriodicFlush)state!).OnTimer(), this, interval, interval);
    }

    /// <summary>Ends it. A flush that is under way goes on; disposing of the log waits for it.</summary>
    public ValueTask DisposeAsync() => _timer.DisposeAsync();

    private void OnTimer()
    {
        ulong written = _log.WrittenLsn;
        if (written > _log.DurableLsn && Interlocked.Exchange(ref _isFlushing, 1) == 0)
        {
            _ = FlushAsync(written);
        }
    }

    private async Task FlushAsync(ulong lsn)
    {
        try
        {
            await _log.EnsureDurableAsync(lsn, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            // The next change is told: the log has failed for good.
        }
        finally
        {
            Volatile.Write(ref _isFlushing, 0);
        }
    }
}
