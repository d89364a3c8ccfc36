using System.Diagnostics.CodeAnalysis;
using StorageCache.Buffers;

namespace StorageCache;

/// <summary>
/// Keeps a page resident without latching it: the way to keep the root of a tree at hand. Leases are taken from it without
/// a look-up. A pin does not stop others from reading or writing the page, nor a punch from clearing it, nor a truncation
/// from taking it away.
/// </summary>
/// <remarks>
/// A pin is a struct that may live across an <c>await</c> and move to another thread; it is not to be copied. Leases taken
/// from it live on their own and may outlive it.
/// </remarks>
[SuppressMessage("Performance", "CA1815:Override equals and operator equals on value types", Justification = "Pins are not compared.")]
public unsafe struct PagePin : IDisposable
{
    private Mapping? _mapping;
    private readonly Slot* _slot;

    internal PagePin(Mapping mapping, Slot* slot)
    {
        _mapping = mapping;
        _slot = slot;
    }

    /// <summary>Whether the pin is held: acquired and not yet disposed of.</summary>
    public readonly bool IsHeld => _mapping is not null;

    /// <summary>The page's number in its mapping.</summary>
    /// <exception cref="InvalidOperationException">The pin is not held.</exception>
    public readonly long Page => Owner.PageOf(_slot);

    private readonly Mapping Owner
    {
        get
        {
            if (_mapping is null)
            {
                Throw.LeaseNotHeld();
            }

            return _mapping!;
        }
    }

    /// <summary>Takes a read lease, blocking the calling thread while the page is latched; see <see cref="Mapping.Read(long)"/>.</summary>
    /// <exception cref="InvalidOperationException">The pin is not held.</exception>
    /// <exception cref="PageTruncatedException">The page was truncated away.</exception>
    public readonly PageReadLease Read() =>
        TryRead(out PageReadLease lease) ? lease : Owner.Read(Page);

    /// <summary>Takes a read lease if that needs no waiting.</summary>
    /// <exception cref="InvalidOperationException">The pin is not held.</exception>
    public readonly bool TryRead(out PageReadLease lease) => Owner.TryReadAt(_slot, out lease);

    /// <summary>Takes a read lease; completes synchronously if that needs no waiting; see <see cref="Mapping.ReadAsync(long, CancellationToken)"/>.</summary>
    /// <exception cref="InvalidOperationException">The pin is not held.</exception>
    /// <exception cref="PageTruncatedException">The page was truncated away.</exception>
    public readonly ValueTask<PageReadLease> ReadAsync(CancellationToken cancellationToken = default) =>
        TryRead(out PageReadLease lease) ? new ValueTask<PageReadLease>(lease) : Owner.ReadAsync(Page, cancellationToken);

    /// <summary>As <see cref="Read()"/>, with a time-out; see <see cref="Mapping.Read(long, TimeSpan)"/>.</summary>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite.</param>
    /// <exception cref="InvalidOperationException">The pin is not held.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is out of its range.</exception>
    /// <exception cref="LatchTimeoutException">The page did not become available in time.</exception>
    /// <exception cref="PageTruncatedException">The page was truncated away.</exception>
    public readonly PageReadLease Read(TimeSpan timeout) => Owner.Read(Page, timeout);

    /// <summary>As <see cref="ReadAsync(CancellationToken)"/>, with a time-out; see <see cref="Mapping.ReadAsync(long, TimeSpan, CancellationToken)"/>.</summary>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="InvalidOperationException">The pin is not held.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is out of its range.</exception>
    /// <exception cref="LatchTimeoutException">The page did not become available in time.</exception>
    /// <exception cref="PageTruncatedException">The page was truncated away.</exception>
    public readonly ValueTask<PageReadLease> ReadAsync(TimeSpan timeout, CancellationToken cancellationToken = default) =>
        Owner.ReadAsync(Page, timeout, cancellationToken);

    /// <summary>Takes the write lease, blocking the calling thread while the page is latched; see <see cref="Mapping.Write(long)"/>.</summary>
    /// <exception cref="InvalidOperationException">The pin is not held.</exception>
    /// <exception cref="PageTruncatedException">The page was truncated away.</exception>
    public readonly PageWriteLease Write() =>
        Owner.TryWriteUnpausedAt(_slot, out PageWriteLease lease) ? lease : Owner.Write(Page);

    /// <summary>Takes the write lease if that needs no waiting; never of a mapping that is read-only, failed or closing. Not held back by too many dirty pages.</summary>
    /// <exception cref="InvalidOperationException">The pin is not held.</exception>
    public readonly bool TryWrite(out PageWriteLease lease) => Owner.TryWriteAt(_slot, out lease);

    /// <summary>Takes the write lease; completes synchronously if that needs no waiting; see <see cref="Mapping.WriteAsync(long, CancellationToken)"/>.</summary>
    /// <exception cref="InvalidOperationException">The pin is not held.</exception>
    /// <exception cref="PageTruncatedException">The page was truncated away.</exception>
    public readonly ValueTask<PageWriteLease> WriteAsync(CancellationToken cancellationToken = default) =>
        Owner.TryWriteUnpausedAt(_slot, out PageWriteLease lease) ? new ValueTask<PageWriteLease>(lease) : Owner.WriteAsync(Page, cancellationToken);

    /// <summary>As <see cref="Write()"/>, with a time-out; see <see cref="Mapping.Write(long, TimeSpan)"/>.</summary>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite.</param>
    /// <exception cref="InvalidOperationException">The pin is not held.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is out of its range.</exception>
    /// <exception cref="LatchTimeoutException">The page did not become available in time.</exception>
    /// <exception cref="PageTruncatedException">The page was truncated away.</exception>
    public readonly PageWriteLease Write(TimeSpan timeout) => Owner.Write(Page, timeout);

    /// <summary>As <see cref="WriteAsync(CancellationToken)"/>, with a time-out; see <see cref="Mapping.WriteAsync(long, TimeSpan, CancellationToken)"/>.</summary>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="InvalidOperationException">The pin is not held.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is out of its range.</exception>
    /// <exception cref="LatchTimeoutException">The page did not become available in time.</exception>
    /// <exception cref="PageTruncatedException">The page was truncated away.</exception>
    public readonly ValueTask<PageWriteLease> WriteAsync(TimeSpan timeout, CancellationToken cancellationToken = default) =>
        Owner.WriteAsync(Page, timeout, cancellationToken);

    /// <summary>Begins an optimistic read unless the page is exclusively latched (or was truncated away).</summary>
    /// <exception cref="InvalidOperationException">The pin is not held.</exception>
    public readonly bool TryReadOptimistic(out OptimisticRead read) => Owner.TryReadOptimisticAt(_slot, out read);

    /// <summary>
    /// Begins an optimistic read, blocking the calling thread while the page is exclusively latched; see
    /// <see cref="Mapping.ReadOptimistic(long)"/>.
    /// </summary>
    /// <exception cref="InvalidOperationException">The pin is not held.</exception>
    /// <exception cref="PageTruncatedException">The page was truncated away.</exception>
    public readonly OptimisticRead ReadOptimistic() =>
        TryReadOptimistic(out OptimisticRead read) ? read : Owner.ReadOptimistic(Page);

    /// <summary>
    /// Begins an optimistic read once the page is not exclusively latched; completes synchronously if it is not now; see
    /// <see cref="Mapping.ReadOptimisticAsync(long, CancellationToken)"/>.
    /// </summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="InvalidOperationException">The pin is not held.</exception>
    /// <exception cref="PageTruncatedException">The page was truncated away.</exception>
    public readonly ValueTask<OptimisticRead> ReadOptimisticAsync(CancellationToken cancellationToken = default) =>
        TryReadOptimistic(out OptimisticRead read)
            ? new ValueTask<OptimisticRead>(read)
            : Owner.ReadOptimisticAsync(Page, cancellationToken);

    /// <summary>Returns the pin. Does nothing if it is not held.</summary>
    public void Dispose()
    {
        Mapping? mapping = _mapping;
        if (mapping is not null)
        {
            _mapping = null;
            mapping.ReleasePin(_slot);
        }
    }
}
