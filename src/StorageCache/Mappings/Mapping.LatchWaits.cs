using StorageCache.Waiting;

namespace StorageCache;

/// <content>
/// Waits of the cache itself (flush, truncation, close) for pages that others hold. A close must not wait for ever for a flush
/// or truncation that waits for a lease, so it is known which of them do.
/// </content>
public sealed partial class Mapping
{
    /// <summary>The waits under way. Guarded by itself.</summary>
    private readonly List<(long Page, long Begun)> _latchWaits = [];

    /// <summary>A shared latch of a page, if it is resident.</summary>
    /// <param name="page">The page.</param>
    /// <param name="patience">How long to wait; null for ever.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="PageTruncatedException">The page is not resident.</exception>
    /// <exception cref="MappingBusyException">The patience has run out.</exception>
    private ValueTask<PageReadLease> ReadInternalAsync(long page, Patience? patience, CancellationToken cancellationToken) =>
        WaitForLatchAsync(BeginReadInternal(page, patience?.Left ?? Timeout.InfiniteTimeSpan, cancellationToken), page, patience);

    /// <summary>The exclusive latch of a page, if it is resident.</summary>
    /// <param name="page">The page.</param>
    /// <param name="patience">How long to wait; null for ever.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="PageTruncatedException">The page is not resident.</exception>
    /// <exception cref="MappingBusyException">The patience has run out.</exception>
    private ValueTask<PageWriteLease> LatchInternalAsync(long page, Patience? patience, CancellationToken cancellationToken) =>
        WaitForLatchAsync(BeginLatchInternal(page, patience?.Left ?? Timeout.InfiniteTimeSpan, cancellationToken), page, patience);

    /// <summary>Whether an internal latch was not had because the page never came: its load failed while we stood in line.</summary>
    private static bool IsLoadFailure(Exception error) => error is PageReadException or CacheFullException or MappingFailedException;

    private async ValueTask<TLease> WaitForLatchAsync<TLease>(ValueTask<TLease> latch, long page, Patience? patience)
    {
        if (latch.IsCompleted)
        {
            return await latch.ConfigureAwait(true);
        }

        (long Page, long Begun) wait = (page, _core.Options.TimeProvider.GetTimestamp());
        lock (_latchWaits)
        {
            _latchWaits.Add(wait);
        }

        try
        {
            return await latch.ConfigureAwait(true);
        }
        catch (LatchTimeoutException)
        {
            throw Throw.MakeBusy(this, page);
        }
        finally
        {
            lock (_latchWaits)
            {
                _latchWaits.Remove(wait);
            }

            patience?.Spend(wait.Begun);
        }
    }

    /// <summary>
    /// Waits until no flush and no truncation is under way, and keeps them out. One that waits for a lease is waited for as long as
    /// the lease itself would be; one that reads and writes, to its end.
    /// </summary>
    /// <exception cref="MappingBusyException">A flush or truncation has waited for a lease that long.</exception>
    private async Task<IDisposable> EnterToCloseAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        if (patience == Timeout.InfiniteTimeSpan)
        {
            return await _lifetime.WriterLockAsync(cancellationToken).ConfigureAwait(true);
        }

        TimeProvider time = _core.Options.TimeProvider;
        long start = time.GetTimestamp();
        TimeSpan next = patience;
        while (true)
        {
            using CancellationTokenSource slice = new(next, time);
            using CancellationTokenSource linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, slice.Token);
            try
            {
                return await _lifetime.WriterLockAsync(linked.Token).ConfigureAwait(true);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                next = patience;
                if (TryGetOldestLatchWait(out long page, out long begun))
                {
                    next = patience - time.GetElapsedTime(Math.Max(begun, start));
                    if (next <= TimeSpan.Zero)
                    {
                        throw Throw.MakeBusy(this, page);
                    }
                }
            }
        }
    }

    private bool TryGetOldestLatchWait(out long page, out long begun)
    {
        lock (_latchWaits)
        {
            (page, begun) = _latchWaits.Count == 0 ? default : _latchWaits.MinBy(wait => wait.Begun);
            return _latchWaits.Count != 0;
        }
    }
}
