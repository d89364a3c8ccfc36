using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace StorageCache.KeyValueStore.Logging;

/// <content>The writer loop: batches and flushes, strictly one after another.</content>
/// <remarks>
/// <code>
///              somebody waits for what is not sealed, and no group is open
///        Idle ───────────────────────────────────────────────────────────→ Write: seal, write, complete who waits for that
///         ^ ^                                                               │
///         │ └──────────────── nobody waits for what is written ─────────────┤
///         │                                                                 │ somebody waits for it to be durable
///         └──────────────────────────── Flush: flush, complete them ←───────┘
/// </code>
/// It has no thread: it is a work item of the thread pool whenever it does not wait for the device.
/// </remarks>
internal sealed partial class WriteAheadLog
{
    private readonly DeviceChannel _transfers;
    private readonly AlignedBuffer _segmentHeader = new(SegmentHeader.Room);
    private readonly LoopSignal _signal = new();

    /// <summary>Completes when the loop has ended.</summary>
    private readonly TaskCompletionSource _loopEnd = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends waits between attempts.</summary>
    private readonly CancellationTokenSource _ending = new();

    /// <summary>LSN behind the last seal.</summary>
    private ulong _sealed;

    /// <summary>LSN behind the last batch written.</summary>
    private ulong _written;

    /// <summary>LSN behind the last batch that is durable.</summary>
    private ulong _durable;

    /// <summary>Whether the loop has been started.</summary>
    private bool _loopRuns;

    /// <summary>Whether the loop waits for its signal.</summary>
    private bool _idle;

    /// <summary>Whether the log has been disposed of.</summary>
    private bool _ended;

    /// <summary>Why the log is failed, and where, or null.</summary>
    private (ulong Lsn, Exception Cause)? _failure;

    private long _batches;
    private long _flushes;
    private long _commits;
    private long _retries;

    private enum Step
    {
        Idle,
        Write,
        Flush,
        End,
    }

    /// <summary>Makes the log ready for appending: begins an epoch, durably. Once, before the first reservation.</summary>
    /// <param name="cancellationToken">Cancels before anything is written.</param>
    /// <exception cref="InvalidOperationException">The device is read-only, or the log has been begun.</exception>
    /// <exception cref="LogFailedException">The epoch could not be written; open the log anew.</exception>
    /// <exception cref="IOException">There is no room. The log is as before, and this can be tried again.</exception>
    public async Task BeginAsync(CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            ThrowIfEnded();
            if (_device.IsReadOnly || _stage != 0)
            {
                throw new InvalidOperationException(_device.IsReadOnly ? $"The log '{Name}' cannot be begun: its device is read-only." : $"The log '{Name}' has been begun.");
            }

            _stage = 1;
        }

        try
        {
            _announcedSegments = _map.SlotCount;
            await MakeSlotsAsync(_appended + (ulong)Needed(SizeOf(RecordHeader.EpochPayload)), cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            _stage = 0;
            throw;
        }

        _epoch = _options.EpochSource();
        ulong epoch = StartEpoch();
        await EnlistAsync(_durableWaiters, epoch, CancellationToken.None).ConfigureAwait(false);
        lock (_gate)
        {
            _promised = _appended + (ulong)_geometry.SealBytes;
            _stage = 2;
        }
    }

    /// <summary>Waits for the write or flush under way and ends. Whatever was not asked to be written is dropped; whoever waits gets an <see cref="ObjectDisposedException"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        bool wake;
        bool runs;
        LogWaiter? written;
        LogWaiter? durable;
        lock (_gate)
        {
            runs = _loopRuns;
            _ended = true;
            _reserved = 0;
            written = _writtenWaiters.Take(ulong.MaxValue, LogWaitOutcome.Disposed, out _);
            durable = _durableWaiters.Take(ulong.MaxValue, LogWaitOutcome.Disposed, out _);
            wake = _idle;
            _idle = false;
        }

        LogWaiter.Dispatch(written);
        LogWaiter.Dispatch(durable);
        _ending.Cancel();
        if (wake)
        {
            _signal.Set();
        }

        if (runs)
        {
            await _loopEnd.Task.ConfigureAwait(false);
        }
    }

    private ulong StartEpoch()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_ended, this);
            _loopRuns = true;
            ThreadPool.UnsafeQueueUserWorkItem(static log => _ = log.RunAsync(), this, preferLocal: false);
            _buffer = new LogBuffer(_options.BufferBytes);
            Span<byte> payload = stackalloc byte[RecordHeader.EpochPayload];
            BinaryPrimitives.WriteUInt64LittleEndian(payload, _durable);
            BinaryPrimitives.WriteUInt64LittleEndian(payload[8..], _epoch);
            return Put(LogKind.Epoch, payload, default, default);
        }
    }

    private async Task RunAsync()
    {
        ulong from = 0;
        Step step = Step.Idle;
        try
        {
            while (true)
            {
                ulong to;
                lock (_gate)
                {
                    step = Next();
                    from = _written;
                    to = _sealed;
                }

                switch (step)
                {
                    case Step.Idle:
                        await _signal.Task.ConfigureAwait(false);
                        break;
                    case Step.Write:
                        await WriteAsync(from, to).ConfigureAwait(false);
                        OnWritten(to);
                        break;
                    case Step.Flush:
                        await _transfers.FlushAsync().ConfigureAwait(false);
                        OnFlushed(from);
                        break;
                    default:
                        return;
                }
            }
        }
        catch (Exception error)
        {
            // Also what is a mistake of the log's own: whoever waits must not wait for ever.
            Fail(step == Step.Flush ? DurableLsn : from, error);
        }
        finally
        {
            _loopEnd.TrySetResult();
        }
    }

    /// <summary>Decides what comes next; seals the batch if that is a write.</summary>
    private Step Next()
    {
        if (_ended || _failure is not null)
        {
            return Step.End;
        }

        if (_durableWaiters.Head is { } durable && durable.Lsn <= _written)
        {
            return Step.Flush;
        }

        if (WantsSeal())
        {
            Seal();
            return Step.Write;
        }

        _idle = true;
        _signal.Reset();
        return Step.Idle;
    }

    /// <summary>Whether anybody waits for what no seal has ended yet, and it can be sealed.</summary>
    private bool WantsSeal() => !_groupOpen && (_writtenWaiters.Tail?.Lsn > _sealed || _durableWaiters.Tail?.Lsn > _sealed);

    /// <summary>Under the lock: whether the loop has to be woken, by whoever asks.</summary>
    private bool TryWake()
    {
        if (!_idle || !(WantsSeal() || _durableWaiters.Head?.Lsn <= _written))
        {
            return false;
        }

        _idle = false;
        return true;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WriteAsync(ulong from, ulong to)
    {
        TimeSpan delay = _options.WriteRetryDelay;
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await WritePiecesAsync(from, to).ConfigureAwait(false);
                return;
            }
            catch (IOException) when (attempt < _options.WriteAttempts)
            {
                Interlocked.Increment(ref _retries);
            }

            // The same bytes to the same place: nothing is durable there yet (LOG-13).
            await Task.Delay(delay, _options.TimeProvider, _ending.Token).ConfigureAwait(false);
            delay *= 2;
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WritePiecesAsync(ulong from, ulong to)
    {
        while (from < to)
        {
            ulong end = Math.Min(to, _geometry.StartOf(_geometry.SegmentOf(from) + 1));
            BeginPiece(from, end);
            await _transfers.RunAsync().ConfigureAwait(false);
            from = end;
        }
    }

    /// <summary>Prepares the write of what lies in one segment, with the segment's header if it begins there.</summary>
    private unsafe void BeginPiece(ulong from, ulong end)
    {
        long segment = _geometry.SegmentOf(from);
        int slot;
        LogBuffer buffer;
        lock (_gate)
        {
            slot = _map.SlotOf(segment);
            buffer = _buffer;
        }

        Debug.Assert(slot >= 0, "What is sealed has slots (LOG-15).");
        long offset = _geometry.OffsetOf(slot, from);
        bool isFirst = from == _geometry.StartOf(segment);
        _transfers.BeginWrite(isFirst ? offset - SegmentHeader.Room : offset);
        if (isFirst)
        {
            SegmentHeader.Write(_segmentHeader.Span, _geometry, segment);
            _transfers.Add(_segmentHeader.Address, SegmentHeader.Room);
        }

        while (from < end)
        {
            int length = buffer.Piece(from, (long)(end - from)).Length;
            _transfers.Add(buffer.AddressOf(from), length);
            from += (ulong)length;
        }
    }

    private void OnWritten(ulong to)
    {
        LogWaiter? reached;
        lock (_gate)
        {
            if (_failure is not null)
            {
                return;
            }

            Volatile.Write(ref _written, to);
            _batches++;
            reached = _writtenWaiters.Take(to, LogWaitOutcome.Reached, out _);
        }

        LogWaiter.Dispatch(reached);
    }

    private void OnFlushed(ulong to)
    {
        LogWaiter? reached;
        lock (_gate)
        {
            if (_failure is not null)
            {
                // A flush that failed elsewhere may have taken this one's error with it (LOG-14).
                return;
            }

            Volatile.Write(ref _durable, to);
            _flushes++;
            reached = _durableWaiters.Take(to, LogWaitOutcome.Reached, out int count);
            _commits += count;
        }

        LogWaiter.Dispatch(reached);
    }

    private void Fail(ulong lsn, Exception cause)
    {
        LogWaiter? written;
        LogWaiter? durable;
        bool wake;
        lock (_gate)
        {
            _failure ??= (lsn, cause);
            written = _writtenWaiters.Take(ulong.MaxValue, _ended ? LogWaitOutcome.Disposed : LogWaitOutcome.Failed, out _);
            durable = _durableWaiters.Take(ulong.MaxValue, _ended ? LogWaitOutcome.Disposed : LogWaitOutcome.Failed, out _);
            wake = _idle;
            _idle = false;
        }

        LogWaiter.Dispatch(written);
        LogWaiter.Dispatch(durable);
        if (wake)
        {
            _signal.Set();
        }
    }
}
