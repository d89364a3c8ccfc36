using StorageCache.IO;
using StorageCache.Sharing;
using StorageCache.Waiting;

namespace StorageCache;

/// <summary>
/// A page cache (buffer cache) for storage engines: fixed-size pages of files, in a bounded amount of native memory, with
/// latches, pins, eviction and write-back.
/// </summary>
/// <remarks>
/// <para>Thread safety: all members may be called from any thread at any time.</para>
/// <para>Runs on Linux.</para>
/// </remarks>
public sealed partial class PageCache : IAsyncDisposable, IDisposable
{
    private readonly CacheCore _core;
    private readonly IIoEngine _engine;
    private int _disposed;

    /// <summary>Makes a cache. Memory is taken as it is used.</summary>
    /// <param name="options">What to make it with.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/>, or its clock, is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it.</exception>
    /// <exception cref="IoEngineUnavailableException">The I/O engine that is asked for by name is not to be had here.</exception>
    /// <exception cref="InsufficientMemoryException">The process may not have as much address space as <see cref="PageCacheOptions.MaximumMemoryLimit"/> takes.</exception>
    /// <exception cref="IOException">The process cannot have memory that is mapped twice, as <see cref="PageCacheOptions.Guarded"/> asks: the kernel has no <c>memfd_create</c>, or <c>RLIMIT_FSIZE</c> is lower than <see cref="PageCacheOptions.MaximumMemoryLimit"/>.</exception>
    /// <exception cref="OutOfMemoryException">A thread could not be started.</exception>
    /// <exception cref="PlatformNotSupportedException">This is not Linux on x64 or arm64.</exception>
    public PageCache(PageCacheOptions options)
        : this(options, PageHasher.CreateKeyed())
    {
    }

    /// <param name="options">What to make it with.</param>
    /// <param name="hasher">What pages are hashed with.</param>
    internal PageCache(PageCacheOptions options, PageHasher hasher)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        Options = options;
        _engine = IoEngines.Create(options, ResumptionBatches.Instance, out PageCacheCapabilities capabilities);
        try
        {
            _core = new CacheCore(this, options, _engine, hasher);
            Capabilities = capabilities.With(_core.NoRegisteredMemory);
            _core.OwnThread.Start();
            _core.Reclaimer.Start();
            _core.WriteBack.Start();
        }
        catch
        {
            // Nobody has a cache to dispose of, and threads and a ring do not end by themselves: no memory was to be had, or no thread,
            // or the host's clock makes no timers.
            if (_core is null)
            {
                _engine.Dispose();
            }
            else
            {
                StopThreads();
            }

            throw;
        }
    }

    /// <summary>What the cache was made with.</summary>
    public PageCacheOptions Options { get; }

    /// <summary>
    /// Comes when a device or a log has failed, or works again. Handlers run on the thread pool, one event after the other, in their order;
    /// they may throw, block and call the cache: whatever a handler does holds up no page, only the events behind it, of which 1,024 are
    /// kept. So an event may come when what it tells of is over.
    /// </summary>
    public event EventHandler<HealthEventArgs>? HealthChanged
    {
        add => _core.Health.Changed += value;
        remove => _core.Health.Changed -= value;
    }

    /// <summary>What is in use of what the machine and the process could offer.</summary>
    public PageCacheCapabilities Capabilities { get; }

    /// <summary>Bytes per page.</summary>
    public int PageSize => _core.PageSize;

    /// <summary>The memory limit in bytes, metadata included.</summary>
    public long MemoryLimit => _core.Budget.Limit;

    /// <summary>Whether the cache has been disposed of.</summary>
    internal bool IsDisposed => Volatile.Read(ref _disposed) != 0;

    /// <summary>What all mappings share.</summary>
    internal CacheCore Core => _core;

    /// <summary>
    /// Makes every change in every mapping durable; see <see cref="Mapping.FlushAsync"/>. A mapping that is being closed is waited for, and flushed
    /// if that fails.
    /// </summary>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="PageCacheException">One mapping could not be flushed; the others were.</exception>
    /// <exception cref="AggregateException">More than one mapping could not be flushed; the others were.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    public ValueTask FlushAsync(CancellationToken cancellationToken = default) =>
        new(_core.OwnThread.Run(() => FlushInOrderAsync(cancellationToken)));

    private async Task FlushInOrderAsync(CancellationToken cancellationToken)
    {
        ThrowIfDisposed();
        List<Exception> errors = [];
        foreach (Mapping mapping in _core.OpenMappings())
        {
            try
            {
                while (!await TryFlushAsync(mapping, cancellationToken).ConfigureAwait(true))
                {
                    await WhenClosedAsync(mapping, cancellationToken).ConfigureAwait(true);
                }
            }
            catch (IOException error)
            {
                errors.Add(error);
            }
        }

        ThrowAll(errors);
    }

    /// <summary>
    /// A checkpoint of every mapping, one after the other; see <see cref="Mapping.CheckpointAsync"/>. For caches whose mappings have one log, or
    /// logs with numbers that can be compared. The duration is for all of them together.
    /// </summary>
    /// <param name="options">How fast to write; null for as fast as can be.</param>
    /// <param name="cancellationToken">Stops it; writes that have begun go on.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="PageCacheException">Of one mapping there could be no checkpoint; of the others there was.</exception>
    /// <exception cref="AggregateException">Of more than one mapping there could be no checkpoint; of the others there was.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<CheckpointResult> CheckpointAsync(CheckpointOptions? options = null, CancellationToken cancellationToken = default)
    {
        CheckpointOptions pace = options ?? new CheckpointOptions();
        pace.Validate();
        return new(_core.OwnThread.Run(() => CheckpointInOrderAsync(pace, cancellationToken)));
    }

    private async Task<CheckpointResult> CheckpointInOrderAsync(CheckpointOptions options, CancellationToken cancellationToken)
    {
        ThrowIfDisposed();
        List<Exception> errors = [];
        Mapping[] mappings = _core.OpenMappings();
        long[] dirty = [.. mappings.Select(mapping => mapping.DirtyPages)];
        long all = Math.Max(1, dirty.Sum());
        long written = 0;
        for (int i = 0; i < mappings.Length; i++)
        {
            CheckpointOptions part = new() { Duration = options.Duration * ((double)dirty[i] / all), BytesPerSecond = options.BytesPerSecond };
            try
            {
                CheckpointResult? result;
                while ((result = await TryCheckpointAsync(mappings[i], part, cancellationToken).ConfigureAwait(true)) is null)
                {
                    await WhenClosedAsync(mappings[i], cancellationToken).ConfigureAwait(true);
                }

                written += result.Value.PagesWritten;
            }
            catch (IOException error)
            {
                errors.Add(error);
            }
        }

        ThrowAll(errors);

        // Of all of them, and not before: what was changed in the first while the last was written counts.
        ulong? oldest = null;
        foreach (Mapping mapping in _core.OpenMappings())
        {
            oldest = mapping.OldestLsn() is { } lsn && !(oldest <= lsn) ? lsn : oldest;
        }

        return new CheckpointResult(written, oldest);
    }

    /// <summary>Flushes a mapping, if it is not closed. False if it is being closed: it is not durable before that has ended, and perhaps not then.</summary>
    private static async Task<bool> TryFlushAsync(Mapping mapping, CancellationToken cancellationToken)
    {
        try
        {
            await mapping.FlushAsync(cancellationToken).ConfigureAwait(true);
            return true;
        }
        catch (MappingClosedException)
        {
            return mapping.State == MappingState.Closed;
        }
    }

    /// <summary>The same for a checkpoint; null in the place of false.</summary>
    private static async Task<CheckpointResult?> TryCheckpointAsync(Mapping mapping, CheckpointOptions options, CancellationToken cancellationToken)
    {
        try
        {
            return await mapping.CheckpointAsync(options, cancellationToken).ConfigureAwait(true);
        }
        catch (MappingClosedException)
        {
            return mapping.State == MappingState.Closed ? default(CheckpointResult) : null;
        }
    }

    /// <summary>Waits for a close that is under way, whatever comes of it.</summary>
    private async Task WhenClosedAsync(Mapping mapping, CancellationToken cancellationToken)
    {
        Task closing;
        using (await _registry.LockAsync(cancellationToken).ConfigureAwait(true))
        {
            closing = mapping.Closing ?? Task.CompletedTask;
        }

        await closing.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        cancellationToken.ThrowIfCancellationRequested();
    }

    private static void ThrowAll(List<Exception> errors)
    {
        switch (errors.Count)
        {
            case 0:
                return;
            case 1:
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(errors[0]);
                return;
            default:
                throw new AggregateException(errors);
        }
    }

    private void ThrowIfDisposed()
    {
        if (IsDisposed)
        {
            throw new CacheDisposedException();
        }
    }
}
