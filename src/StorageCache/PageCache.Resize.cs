using Nito.AsyncEx;

namespace StorageCache;

/// <content>Changing the memory limit.</content>
public sealed partial class PageCache
{
    private readonly AsyncLock _resizing = new();

    /// <summary>
    /// Changes the memory limit, up or down. Down, pages are evicted and written back until the limit is kept.
    /// </summary>
    /// <param name="memoryLimit">The new limit in bytes, metadata included: room for 64 pages or more, at most <see cref="PageCacheOptions.MaximumMemoryLimit"/>.</param>
    /// <param name="cancellationToken">Stops waiting; the limit is as before.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="memoryLimit"/> is out of its range.</exception>
    /// <exception cref="CacheFullException">So many pages are pinned, latched or dirty that the limit could not be reached within <see cref="PageCacheOptions.FrameTimeout"/>; the limit is as before.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    public async ValueTask ResizeAsync(long memoryLimit, CancellationToken cancellationToken = default)
    {
        ThrowIfDisposed();
        long least = CacheCore.LeastMemory(PageSize);
        if (memoryLimit < least || memoryLimit > _core.MaximumMemory)
        {
            throw new ArgumentOutOfRangeException(nameof(memoryLimit), memoryLimit, $"The memory limit is {memoryLimit} bytes; allowed: {least} to {_core.MaximumMemory} bytes.");
        }

        using (await _resizing.LockAsync(cancellationToken).ConfigureAwait(false))
        {
            long before = _core.Budget.Limit;
            ApplyLimit(memoryLimit);
            try
            {
                await ShrinkAsync(memoryLimit, cancellationToken).ConfigureAwait(false);
            }
            catch
            {
                ApplyLimit(before);
                throw;
            }
        }
    }

    private void ApplyLimit(long limit)
    {
        bool grows = limit > _core.Budget.Limit;
        _core.Size(limit);
        if (grows)
        {
            _core.Registration?.Renew();
        }

        _core.WriteBack.SetLimits();
        _core.Reclaimer.Kick();
        _core.FrameQueue.Pump();
    }

    private async Task ShrinkAsync(long memoryLimit, CancellationToken cancellationToken)
    {
        TimeProvider time = Options.TimeProvider;
        long start = time.GetTimestamp();
        while (_core.Frames.Excess > 0 || _core.Heads.InUse > _core.Heads.Limit)
        {
            _core.TryReclaimLeaf();
            _core.Reclaimer.Call();
            await Task.Delay(TimeSpan.FromMilliseconds(1), time, cancellationToken).ConfigureAwait(false);
            if (Options.FrameTimeout != Timeout.InfiniteTimeSpan && time.GetElapsedTime(start) > Options.FrameTimeout)
            {
                throw new CacheFullException(
                    $"The memory limit of {memoryLimit} bytes was not reached within {Options.FrameTimeout}: {_core.Frames.Excess} pages too many are pinned, latched or dirty.",
                    path: string.Empty);
            }
        }
    }
}
