using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>
/// Write leases of pages whose old content does not matter. The page has to be cleared in any case, and the file to be made longer
/// perhaps; what is quick is a page that is absent, where a frame is free: it needs no waiter and no load.
/// </content>
public sealed unsafe partial class Mapping
{
    /// <summary>Takes the write lease of a page without reading it: its bytes are zero, and it is dirty from the start. A page at or beyond the end of the file makes the file long enough to hold it whole. It stays that long if the lease is then not had in time. Blocks the calling thread, and no other, if that has to wait.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="page"/> is negative, or its end is beyond what 64 bits can say.</exception>
    /// <exception cref="CacheFullException">No frame came free in time.</exception>
    /// <exception cref="LatchTimeoutException">The page did not become available in time.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    /// <exception cref="NotSupportedException">The mapping is read-only.</exception>
    /// <exception cref="MappingFailedException">The mapping has failed.</exception>
    public PageWriteLease WriteNew(long page) => WriteNewBlocking(page, _core.Options.LatchTimeout);

    /// <summary>As <see cref="WriteNew(long)"/>, with a time-out of its own.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite.</param>
    /// <inheritdoc cref="WriteNew(long)" path="/exception"/>
    public PageWriteLease WriteNew(long page, TimeSpan timeout)
    {
        Throw.IfBadTimeout(timeout);
        return WriteNewBlocking(page, timeout);
    }

    /// <summary>As <see cref="WriteNew(long)"/>, if that needs no waiting: the page is in memory and free, or a frame is.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="lease">What was acquired, if the result is true.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="page"/> is negative, or its end is beyond what 64 bits can say.</exception>
    /// <exception cref="NotSupportedException">The mapping is read-only.</exception>
    /// <exception cref="MappingFailedException">The mapping has failed.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    public bool TryWriteNew(long page, out PageWriteLease lease)
    {
        Throw.IfNoPage(page, _pageShift);
        ThrowIfNotWritable();
        bool taken = TryAcquireNow(page, WaitMode.Exclusive, out Slot* slot) || TryAcquireNewNow(page, out slot);
        if (taken)
        {
            BeginNew(slot, isClear: false);
        }

        lease = taken ? new PageWriteLease(this, slot) : default;
        return taken;
    }

    /// <summary>Takes the write lease of a page without reading it: its bytes are zero, and it is dirty from the start. A page at or beyond the end of the file makes the file long enough to hold it whole. It stays that long if the lease is then not had in time. Completes synchronously if the page can be had at once.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="cancellationToken">Cancels the wait. A read that has begun goes on; a page that can be had at once is had.</param>
    /// <inheritdoc cref="WriteNew(long)" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<PageWriteLease> WriteNewAsync(long page, CancellationToken cancellationToken = default) =>
        WriteNewCoreAsync(page, _core.Options.LatchTimeout, cancellationToken);

    /// <summary>As <see cref="WriteNewAsync(long, CancellationToken)"/>, with a time-out of its own.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite.</param>
    /// <param name="cancellationToken">Cancels the wait. A read that has begun goes on; a page that can be had at once is had.</param>
    /// <inheritdoc cref="WriteNew(long)" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<PageWriteLease> WriteNewAsync(long page, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        Throw.IfBadTimeout(timeout);
        return WriteNewCoreAsync(page, timeout, cancellationToken);
    }

    /// <summary>
    /// Makes an exclusively latched page zeros, and dirty: what it held is given up from here on, whether or not the caller goes on to
    /// change it (WB-10).
    /// </summary>
    private void BeginNew(Slot* slot, bool isClear)
    {
        if (!isClear)
        {
            new Span<byte>(AddressOf(slot->Frame), PageSize).Clear();
        }

        MarkDirty(slot);
    }

    /// <summary>
    /// Makes an absent page if nothing stands in the way of it: nobody waits for a frame, writers are not paused, the mapping takes changes.
    /// Whatever is otherwise is for the slow path to find out, and to say.
    /// </summary>
    private bool TryMakeAtOnce(long page, out Slot* slot)
    {
        slot = null;
        if (_throttle.IsActive || _core.FrameQueue.Count > 0 || IsReadOnly || _state != MappingState.Open || Cache.IsDisposed || IsComing(page)
            || !TryAcquireNewNow(page, out slot))
        {
            return false;
        }

        BeginNew(slot, isClear: false);
        return true;
    }

    private PageWriteLease WriteNewBlocking(long page, TimeSpan timeout)
    {
        Throw.IfNoPage(page, _pageShift);
        if (!TryMakeAtOnce(page, out Slot* slot))
        {
            slot = AcquireBlocking(page, WaitMode.Exclusive, isNew: true, timeout);
        }

        return new PageWriteLease(this, slot);
    }

    private ValueTask<PageWriteLease> WriteNewCoreAsync(long page, TimeSpan timeout, CancellationToken cancellationToken)
    {
        Throw.IfNoPage(page, _pageShift);
        if (!cancellationToken.IsCancellationRequested && TryMakeAtOnce(page, out Slot* made))
        {
            return new ValueTask<PageWriteLease>(new PageWriteLease(this, made));
        }

        PageWaiter? waiter = AcquireAsync(page, WaitMode.Exclusive, isNew: true, isInternal: false, timeout, cancellationToken, out Slot* slot, out Exception? error);
        if (waiter is not null)
        {
            return new ValueTask<PageWriteLease>(waiter, waiter.Version);
        }

        return error is null ? new ValueTask<PageWriteLease>(new PageWriteLease(this, slot)) : ValueTask.FromException<PageWriteLease>(error);
    }
}
