using System.Buffers.Binary;
using System.Diagnostics;

namespace StorageCache.KeyValueStore.Logging;

/// <content>Groups of records, in memory.</content>
internal sealed partial class WriteAheadLog
{
    /// <summary>So many seals a reservation accounts for at most.</summary>
    private const long MostSeals = 5;

    /// <summary>What is appended and not yet written. Replaced under the lock, when there is nothing in it.</summary>
    private LogBuffer _buffer;

    /// <summary>LSN behind what is appended. Written by whoever has the group open, else under the lock.</summary>
    private ulong _appended;

    /// <summary>What is left of the reservation: bytes. Of the party that appends.</summary>
    private long _reserved;

    /// <summary>Whether a group is open: nothing is sealed, and appending needs no lock.</summary>
    private bool _groupOpen;

    /// <summary>The number that fills blocks: no other epoch has it.</summary>
    private ulong _epoch;

    /// <summary>0: open for reading; 1: <see cref="BeginAsync"/> is under way; 2: begun.</summary>
    private int _stage;

    /// <summary>Whether <see cref="BeginAsync"/> has succeeded, so that records can be appended.</summary>
    public bool HasBegun => Volatile.Read(ref _stage) == 2;

    /// <summary>
    /// Begins a group: makes sure of room, in memory and on the device, for records of so many bytes altogether, so that appending them cannot fail.
    /// Publishes the group before, if that was not done.
    /// </summary>
    /// <param name="bytes">The sum of <see cref="SizeOf"/> of the records: 0 to <see cref="LogOptions.GreatestReservation"/>.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <remarks>What an earlier reservation has left is given back. Waits while the buffer is full of what is not written yet.</remarks>
    /// <exception cref="IOException">The device cannot be made longer, or has no more room. Nothing has changed.</exception>
    /// <exception cref="LogFailedException">The log has failed.</exception>
    public ValueTask ReserveAsync(long bytes, CancellationToken cancellationToken = default)
    {
        if (bytes is < 0 or > LogOptions.GreatestReservation)
        {
            throw new ArgumentOutOfRangeException(nameof(bytes), bytes, $"The reservation is {bytes} bytes; allowed: 0 to {LogOptions.GreatestReservation}.");
        }

        Publish();
        lock (_gate)
        {
            ThrowUnlessBegun();
            ThrowIfEnded();
            _reserved = 0;
            if (HasMemory(bytes) && HasSlots(bytes))
            {
                Grant(bytes);
                return ValueTask.CompletedTask;
            }
        }

        return ReserveSlowlyAsync(bytes, cancellationToken);
    }

    /// <summary>Appends a record, in memory. Its payload is the parts, one after the other.</summary>
    /// <param name="kind">0 to 127.</param>
    /// <param name="first">Copied.</param>
    /// <param name="second">Copied.</param>
    /// <param name="third">Copied.</param>
    /// <returns>The record's LSN.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="kind"/> is out of range.</exception>
    /// <exception cref="InvalidOperationException">The record is larger than what is left of the reservation.</exception>
    public ulong Append(byte kind, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second = default, ReadOnlySpan<byte> third = default)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(kind, LogKind.FirstOwn);
        long payload = (long)first.Length + second.Length + third.Length;
        long most = payload <= RecordHeader.GreatestPayload ? SizeOf((int)payload) : long.MaxValue;
        if (most > _reserved)
        {
            throw new InvalidOperationException($"A record of {payload} bytes does not fit into what is left of the reservation: {_reserved} bytes.");
        }

        if (!_groupOpen)
        {
            lock (_gate)
            {
                _groupOpen = true;
            }
        }

        _reserved -= most;
        return Put(kind, first, second, third);
    }

    /// <summary>
    /// Ends a group: what was appended since the reservation may be written from now on. Until then nothing of it is, and whoever wants it
    /// written or durable waits. Call it also when something went wrong in between: what is appended stays appended. Does nothing if no group is
    /// open.
    /// </summary>
    public void Publish()
    {
        bool wake;
        lock (_gate)
        {
            _groupOpen = false;
            wake = TryWake();
        }

        if (wake)
        {
            _signal.Set();
        }
    }

    private async ValueTask ReserveSlowlyAsync(long bytes, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ulong wanted = await MakeMemoryAsync(bytes, cancellationToken).ConfigureAwait(false);
            await MakeSlotsAsync(wanted, cancellationToken).ConfigureAwait(false);
            lock (_gate)
            {
                ThrowIfEnded();
                if (HasMemory(bytes) && HasSlots(bytes))
                {
                    Grant(bytes);
                    return;
                }
            }
        }
    }

    /// <summary>Waits for memory, or gets it. Returns up to which LSN there have to be slots.</summary>
    private async ValueTask<ulong> MakeMemoryAsync(long bytes, CancellationToken cancellationToken)
    {
        while (true)
        {
            ulong awaited;
            lock (_gate)
            {
                ThrowIfEnded();
                if (HasMemory(bytes))
                {
                    return _appended + (ulong)Needed(bytes);
                }

                if (_written == _appended)
                {
                    // Nothing is in it, so nobody has it: a larger one in its place, or one of the usual size after a larger one.
                    _buffer = new LogBuffer((int)Math.Max(_options.BufferBytes, RoundUp(bytes + (MostSeals * _geometry.SealBytes))));
                    continue;
                }

                // What has to be written for the buffer to have room; all of it, if it has to be another one.
                long excess = (long)(_appended - _written) + Needed(bytes) - _buffer.Size;
                awaited = IsOfRightSize(bytes) ? Math.Min(_written + (ulong)excess, _appended) : _appended;
            }

            await EnsureWrittenAsync(awaited, cancellationToken).ConfigureAwait(false);
        }
    }

    private static long RoundUp(long bytes) => (bytes + LogHeader.Room - 1) / LogHeader.Room * LogHeader.Room;

    /// <summary>
    /// Bytes of the stream that records of a reservation can need: with a seal behind what is appended already, one behind them, and one to spare
    /// for a batch without records (LOG-15).
    /// </summary>
    private long Needed(long bytes) => bytes + ((2L + (_appended > _sealed ? 1 : 0) + (_cutting ? 2 : 0)) * _geometry.SealBytes);

    private bool HasMemory(long bytes) => IsOfRightSize(bytes) && (long)(_appended - _written) + Needed(bytes) <= _buffer.Size;

    /// <summary>Whether the buffer is not too small for a reservation, and not larger than usual for one that could do with the usual size.</summary>
    private bool IsOfRightSize(long bytes)
    {
        long needed = bytes + (MostSeals * _geometry.SealBytes);
        return needed <= _options.BufferBytes ? _buffer.Size == _options.BufferBytes : needed <= _buffer.Size;
    }

    private bool HasSlots(long bytes)
    {
        ulong end = _appended + (ulong)Needed(bytes);
        return end <= _roomEnd || Extend(end) == 0;
    }

    private void Grant(long bytes)
    {
        _reserved = bytes;
        _promised = _appended + (ulong)Needed(bytes);
    }

    // Of the party that has the group open, or under the lock while no group is.
    private ulong Put(byte kind, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third)
    {
        int payload = first.Length + second.Length + third.Length;
        ulong start = _appended;
        long bytes = _geometry.RecordBytes(start, kind, payload);
        DemandRoom(start + (ulong)bytes);
        Span<byte> header = stackalloc byte[RecordHeader.Size];
        new RecordHeader(0, _chain, start, (uint)payload, kind).Write(header);
        ulong end = _buffer.Put(start, header);
        end = _buffer.Put(end, first);
        end = _buffer.Put(end, second);
        end = _buffer.Put(end, third);
        Span<byte> padding = stackalloc byte[16];
        padding.Clear();
        _buffer.Put(end, padding[..(int)(start + (ulong)bytes - end)]);
        return Chain(start, bytes);
    }

    /// <summary>Ends the batch: with what fills its last block, and what is durable now (LOG-6). Under the lock, while no group is open.</summary>
    private void Seal()
    {
        ulong start = _appended;
        int bytes = _geometry.SealBytesAt(start);
        DemandRoom(start + (ulong)bytes);
        Span<byte> head = stackalloc byte[RecordHeader.LeastSealBytes];
        new RecordHeader(0, _chain, start, (uint)(bytes - RecordHeader.Size), LogKind.Seal).Write(head);
        BinaryPrimitives.WriteUInt64LittleEndian(head[RecordHeader.Size..], _durable);
        BinaryPrimitives.WriteInt64LittleEndian(head[(RecordHeader.Size + 8)..], _announcedSegments);
        ulong end = _buffer.Put(start, head);

        // Nothing that an earlier batch may have had there: else the sectors of two batches could pass for one of them (LOG-11).
        _buffer.Fill(end, bytes - head.Length, _epoch);
        _sealed = Chain(start, bytes);
        Debug.Assert(_geometry.IsBlockStart(_sealed), "A seal ends its block (LOG-4).");
    }

    private ulong Chain(ulong start, long bytes)
    {
        ulong checksum = _buffer.Hash(start + RecordHeader.ChecksumBytes, bytes - RecordHeader.ChecksumBytes, _geometry.Seed);
        Span<byte> encoded = stackalloc byte[RecordHeader.ChecksumBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(encoded, checksum);
        _buffer.Put(start, encoded);
        _chain = checksum;
        Volatile.Write(ref _appended, start + (ulong)bytes);
        return start + (ulong)bytes;
    }

    // Always on: beyond it, bytes that are not written yet or segments that are needed would be written over.
    private void DemandRoom(ulong end)
    {
        if ((long)(end - Volatile.Read(ref _written)) > _buffer.Size || end > Volatile.Read(ref _roomEnd))
        {
            throw new InvalidOperationException($"The log '{Name}' has room up to LSN {_roomEnd} and memory for {_buffer.Size} bytes from LSN {_written} on; LSN {end} is beyond.");
        }
    }
}
