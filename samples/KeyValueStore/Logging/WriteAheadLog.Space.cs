namespace StorageCache.KeyValueStore.Logging;

/// <content>Segments: getting, using again and giving back.</content>
internal sealed partial class WriteAheadLog
{
    /// <summary>Held by whoever changes the length of the file.</summary>
    private readonly SemaphoreSlim _space = new(1, 1);

    /// <summary>Segments that each seal says the file has: at most as many as it has.</summary>
    private long _announcedSegments;

    /// <summary>Segments that were needed at the recycling before.</summary>
    private int _neededBefore;

    /// <summary>LSN up to which room is promised: to the reservation, the seals around it, and one batch without records (LOG-15).</summary>
    private ulong _promised;

    /// <summary>Whether the end of the file is being cut off.</summary>
    private bool _cutting;

    /// <summary>LSN up to which there are slots, as whoever appends may know it.</summary>
    private ulong _roomEnd;

    /// <summary>Lets segments be used again that lie below a new redo point, and cuts off the file what it has not needed lately.</summary>
    /// <param name="redoPoint">What the caller has made known durably as the redo point. One that is not above the present one has no effect.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="redoPoint"/> is above <see cref="DurableLsn"/>.</exception>
    /// <exception cref="LogFailedException">The log has failed.</exception>
    public ValueTask RecycleBelowAsync(ulong redoPoint, CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            ThrowUnlessBegun();
            ThrowIfEnded();
            if (redoPoint <= _redoPoint)
            {
                return ValueTask.CompletedTask;
            }

            if (redoPoint > _durable)
            {
                throw new ArgumentOutOfRangeException(nameof(redoPoint), redoPoint, $"The redo point is {redoPoint}; the log is durable up to LSN {_durable}.");
            }

            int needed = _map.SlotCount - _map.FreeCount;
            int keep = Math.Max(_minimumSegments, Math.Max(needed, _neededBefore));
            _neededBefore = needed;
            Volatile.Write(ref _redoPoint, redoPoint);
            _redoChain = null;
            _map.Recycle(FirstNeeded(_geometry, redoPoint));
            if (_map.CountWithoutFreeEnd(keep) == _map.SlotCount)
            {
                return ValueTask.CompletedTask;
            }

            return CutAsync(keep, cancellationToken);
        }
    }

    /// <summary>Gives free slots to the stream up to an LSN, and makes the file longer where there are none left.</summary>
    private async ValueTask MakeSlotsAsync(ulong end, CancellationToken cancellationToken)
    {
        await _space.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            int missing;
            int count;
            lock (_gate)
            {
                ThrowIfEnded();
                missing = Extend(end);
                count = _map.SlotCount;
            }

            if (missing > 0)
            {
                await GrowAsync(count, missing, cancellationToken).ConfigureAwait(false);
                await AnnounceAsync(count + missing).ConfigureAwait(false);
                lock (_gate)
                {
                    _map.AddSlots(missing);
                    Extend(end);
                }
            }
        }
        finally
        {
            _space.Release();
        }
    }

    /// <summary>
    /// Has the log say durably how many segments the file has, before any that is new is used or any is cut off: so a file that has lost
    /// some is known (LOG-10). Room for that is promised. Until the epoch begins, its seal will say it.
    /// </summary>
    private ValueTask AnnounceAsync(int segments)
    {
        bool wake;
        ValueTask announced;
        lock (_gate)
        {
            _announcedSegments = segments;
            if (_stage != 2)
            {
                return ValueTask.CompletedTask;
            }

            // Beyond what is appended: it takes a seal to get there, with records before it or without.
            LogWaiter? waiter = TryEnlist(_durableWaiters, _appended + 1, out wake);
            announced = waiter?.Task ?? ValueTask.FromException(MakeEnd());
        }

        if (wake)
        {
            _signal.Set();
        }

        return announced;
    }

    private int Extend(ulong end)
    {
        int missing = _map.Extend(end);
        Volatile.Write(ref _roomEnd, _map.RoomEnd);
        return missing;
    }

    /// <summary>Writes zeros where the new slots will be, durably: later flushes have no metadata to write.</summary>
    private async Task GrowAsync(int count, int missing, CancellationToken cancellationToken)
    {
        DeviceChannel channel = new(_device);
        try
        {
            await WriteZerosAsync(channel, _geometry.LengthOf(count), _geometry.LengthOf(count + missing), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            await TrySetLengthAsync(count).ConfigureAwait(false);
            throw;
        }

        await FlushLengthAsync(channel).ConfigureAwait(false);
    }

    /// <summary>Cuts off free slots at the end of the file, once the log says durably that it has fewer (LOG-10).</summary>
    private async ValueTask CutAsync(int keep, CancellationToken cancellationToken)
    {
        await _space.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            int before;
            int after;
            lock (_gate)
            {
                before = _map.SlotCount;
                after = _map.CountWithoutFreeEnd(keep);
                ulong end = _promised + (2 * (ulong)_geometry.SealBytes);
                if (after == before || end > _roomEnd || (long)(end - _written) > _buffer.Size || _failure is not null || _ended)
                {
                    // The next recycling will do.
                    return;
                }

                _promised = end;
                _map.Cut(after);
                _cutting = true;
            }

            await AnnounceAsync(after).ConfigureAwait(false);
            bool isCut = await TrySetLengthAsync(after).ConfigureAwait(false);
            if (isCut)
            {
                // Before any of these slots can come back with what they held (LOG-9).
                await FlushLengthAsync(new DeviceChannel(_device)).ConfigureAwait(false);
            }
            else
            {
                await AnnounceAsync(before).ConfigureAwait(false);
                lock (_gate)
                {
                    _map.AddSlots(before - after);
                }
            }
        }
        finally
        {
            lock (_gate)
            {
                _cutting = false;
            }

            _space.Release();
        }
    }

    private async ValueTask<bool> TrySetLengthAsync(int count)
    {
        try
        {
            await _device.SetLengthAsync(_geometry.LengthOf(count), CancellationToken.None).ConfigureAwait(false);
            return true;
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            // A file that is longer than it has to be does no harm.
            return false;
        }
    }

    /// <summary>A flush that fails may have lost batches as well, which no later flush would report: so it fails the log (LOG-14).</summary>
    private async Task FlushLengthAsync(DeviceChannel channel)
    {
        try
        {
            await channel.FlushAsync().ConfigureAwait(false);
        }
        catch (IOException error)
        {
            Fail(DurableLsn, error);
            throw MakeFailure();
        }
    }
}
