using System.Runtime.CompilerServices;
using StorageCache.IO;

namespace StorageCache.KeyValueStore.Logging;

/// <content>Making a log, opening one, finding its end, and reading it.</content>
internal sealed partial class WriteAheadLog
{
    /// <summary>Makes a new, empty log on a device; whatever it holds is gone.</summary>
    /// <param name="device">For this log alone.</param>
    /// <param name="identity">Tells this log's records from any other's: random, never used for another log.</param>
    /// <param name="firstLsn">The least LSN that the log may begin at; rounded up to a multiple of 4096. 0 is taken as 4096.</param>
    /// <param name="options">How to make and use it.</param>
    /// <param name="cancellationToken">Cancels; a log that is half made is known as such (<see cref="LogDefect.Unfinished"/>).</param>
    /// <returns>A log that can be read (it is empty) and begun.</returns>
    /// <exception cref="ArgumentException">An option is out of range, or does not go with the device.</exception>
    /// <exception cref="IOException">The device fails or is full.</exception>
    public static async Task<WriteAheadLog> CreateAsync(
        IBlockDevice device, Guid identity, ulong firstLsn, LogOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstLsn, ulong.MaxValue / 2);
        options.Validate();
        if (device.Alignment > options.BlockBytes)
        {
            throw new ArgumentException(
                $"LogOptions.BlockBytes is {options.BlockBytes}; '{device.Name}' transfers {device.Alignment} bytes at the least.", nameof(options));
        }

        LogHeader header = new()
        {
            Identity = identity,
            BlockBytes = options.BlockBytes,
            SegmentBytes = options.SegmentBytes,
            MinimumSegments = options.MinimumSegments,
            FirstLsn = FirstLsnFrom(firstLsn),
        };
        DeviceChannel channel = new(device);
        AlignedBuffer sector = new(LogHeader.Room);

        // Durably nothing before there is something: neither an old header with new segments, nor the other way round (LOG-2).
        await device.SetLengthAsync(0, cancellationToken).ConfigureAwait(false);
        await channel.WriteAsync(0, sector, LogHeader.Room).ConfigureAwait(false);
        await channel.FlushAsync().ConfigureAwait(false);
        LogGeometry geometry = new(header);
        await WriteZerosAsync(channel, LogHeader.Room, geometry.LengthOf(header.MinimumSegments), cancellationToken).ConfigureAwait(false);
        await channel.FlushAsync().ConfigureAwait(false);
        header.Write(sector.Span);
        await channel.WriteAsync(0, sector, LogHeader.Room).ConfigureAwait(false);
        await channel.FlushAsync().ConfigureAwait(false);
        return await OpenAsync(device, identity, header.FirstLsn, options, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Whether anything has ever been logged in a file, be it another store's log, or one whose header is gone.</summary>
    /// <param name="device">The file.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="IOException">The device fails.</exception>
    public static async Task<bool> WasUsedAsync(IBlockDevice device, CancellationToken cancellationToken) =>
        await FindNonZeroAsync(new DeviceChannel(device), LogHeader.Room, cancellationToken).ConfigureAwait(false) >= 0;

    /// <summary>Where a log begins that is made with a least LSN.</summary>
    public static ulong FirstLsnFrom(ulong leastLsn) => (Math.Max(leastLsn, 1) + LogHeader.Room - 1) / LogHeader.Room * LogHeader.Room;

    /// <summary>Opens a log and finds its end. Changes nothing.</summary>
    /// <param name="device">For this log alone.</param>
    /// <param name="identity">What it was made with.</param>
    /// <param name="redoPoint">
    /// Where to begin: <see cref="FirstLsn"/>, or a value that <see cref="NextLsn"/> had between two groups, and that was durable. 0 is taken as
    /// <see cref="FirstLsn"/>.
    /// </param>
    /// <param name="options">How to use it.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="LogFormatException">It is no log, another one, or of another version.</exception>
    /// <exception cref="LogCorruptException">Something that was durable is not there, or the redo point is none.</exception>
    /// <exception cref="IOException">The device fails. Never taken for the end of the log.</exception>
    public static async Task<WriteAheadLog> OpenAsync(
        IBlockDevice device, Guid identity, ulong redoPoint, LogOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        DeviceChannel channel = new(device);

        // Asked once: whether the file is long enough has to be said of the length that its slots were counted by.
        long length = device.Length;
        LogHeader header = await ReadHeaderAsync(channel, identity, length, cancellationToken).ConfigureAwait(false);

        // What is about to be read may have got no further than a volatile cache. From here on it counts as durable (LOG-7).
        if (!device.IsReadOnly)
        {
            await channel.FlushAsync().ConfigureAwait(false);
        }

        LogGeometry geometry = new(header);
        redoPoint = redoPoint == 0 ? header.FirstLsn : redoPoint;
        long[] slots = await ReadSlotsAsync(channel, geometry, length, cancellationToken).ConfigureAwait(false);
        Dictionary<long, int> bySegment = Sort(device, geometry, slots);
        LogEnd end = await new EndFinder(device, geometry, header, bySegment, slots.Length, length).FindAsync(redoPoint, cancellationToken).ConfigureAwait(false);
        return new WriteAheadLog(device, options, header, geometry, MapSlots(geometry, header, slots, redoPoint, end), redoPoint, end);
    }

    /// <summary>The caller's records from the redo point to <see cref="EndLsn"/>, in order. May be called again, before <see cref="BeginAsync"/>.</summary>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="LogCorruptException">The log is no longer what it was when it was opened.</exception>
    /// <exception cref="IOException">The device fails.</exception>
    public async IAsyncEnumerable<LogRecord> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        LogStream stream = Stream();
        RecordScanner scanner = new(stream, RedoPoint, _redoChain);
        while (scanner.Position < EndLsn)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!await scanner.MoveNextAsync().ConfigureAwait(false))
            {
                throw Broken(stream, scanner, EndLsn);
            }

            if (scanner.Kind < LogKind.FirstOwn)
            {
                yield return new LogRecord(scanner.Start, scanner.Position, scanner.Kind, scanner.Payload);
            }
        }
    }

    /// <summary>Walks through everything from the redo point to what is durable, and reports what is wrong.</summary>
    /// <param name="progress">Told the bytes walked through, now and then; null for nobody.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <remarks>Can run beside everything else. What is recycled meanwhile is left out.</remarks>
    /// <exception cref="IOException">The device fails.</exception>
    public async Task<LogVerification> VerifyAsync(IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        const long Step = 1 << 20;
        ulong limit = DurableLsn;
        long records = 0;
        long told = 0;
        while (true)
        {
            (ulong start, ulong? chain) = RedoStart();
            LogStream stream = Stream();
            RecordScanner scanner = new(stream, start, chain);
            try
            {
                while (scanner.Position < limit && await scanner.MoveNextAsync().ConfigureAwait(false))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    records += scanner.Kind < LogKind.FirstOwn ? 1 : 0;
                    if ((long)(scanner.Position - start) - told >= Step)
                    {
                        told = (long)(scanner.Position - start);
                        progress?.Report(told);
                    }
                }
            }
            catch (IOException) when (scanner.Position < RedoPoint)
            {
                // What cannot be read is not needed any more.
            }
            catch (LogCorruptException exception)
            {
                return new LogVerification(records, (long)(scanner.Position - start), exception);
            }

            if (scanner.Position < limit && scanner.Position < RedoPoint)
            {
                // It was recycled, and may have been written over or cut off, under the eyes of this walk.
                records = 0;
                told = 0;
                continue;
            }

            long bytes = (long)(scanner.Position - start);
            progress?.Report(bytes);
            return new LogVerification(records, bytes, scanner.Position < limit ? Broken(stream, scanner, limit) : null);
        }
    }

    private static async Task<LogHeader> ReadHeaderAsync(DeviceChannel channel, Guid identity, long length, CancellationToken cancellationToken)
    {
        IBlockDevice device = channel.Device;
        if (device.Alignment > LogHeader.Room)
        {
            throw new LogFormatException(device.Name, LogDefect.Alignment, $"its device transfers {device.Alignment} bytes at the least; at most {LogHeader.Room} will do");
        }

        AlignedBuffer buffer = new(LogHeader.Room);
        int read = await channel.ReadAsync(0, buffer, LogHeader.Room).ConfigureAwait(false);
        if (!buffer.Span[..Math.Min(read, LogHeader.Size)].ContainsAnyExcept((byte)0) && !await IsUnfinishedAsync(channel, cancellationToken).ConfigureAwait(false))
        {
            throw new LogFormatException(device.Name, LogDefect.NotALog, "it is no log: it begins with zeros, and what follows is no segment of a log");
        }

        return LogHeader.Read(buffer.Span[..Math.Min(read, LogHeader.Size)], device.Name, identity, device.Alignment, length);
    }

    /// <summary>
    /// Whether a file that begins with zeros can be a log whose making was cut off (LOG-2): there is nothing in it, or an older log's first slot. Anything
    /// else is somebody's.
    /// </summary>
    private static async Task<bool> IsUnfinishedAsync(DeviceChannel channel, CancellationToken cancellationToken)
    {
        long first = await FindNonZeroAsync(channel, 0, cancellationToken).ConfigureAwait(false);
        if (first < 0)
        {
            return true;
        }

        AlignedBuffer buffer = new(SegmentHeader.Room);
        int read = first % SegmentHeader.Room == 0 ? await channel.ReadAsync(first, buffer, SegmentHeader.Room).ConfigureAwait(false) : 0;
        return SegmentHeader.HasMagic(buffer.Span[..read]);
    }

    /// <summary>Finds the first byte from an offset on that is not zero; -1 if there is none.</summary>
    private static async Task<long> FindNonZeroAsync(DeviceChannel channel, long offset, CancellationToken cancellationToken)
    {
        const int Window = 1 << 20;
        AlignedBuffer buffer = new(Window);
        for (; offset < channel.Device.Length; offset += Window)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int read = await channel.ReadAsync(offset, buffer, Window).ConfigureAwait(false);
            int first = buffer.Span[..read].IndexOfAnyExcept((byte)0);
            if (first >= 0)
            {
                return offset + first;
            }
        }

        return -1;
    }

    /// <summary>Reads which segments the slots hold: -1 for none.</summary>
    private static async Task<long[]> ReadSlotsAsync(DeviceChannel channel, LogGeometry geometry, long length, CancellationToken cancellationToken)
    {
        long count = (length - LogHeader.Room) / geometry.SegmentBytes;
        long[] slots = new long[checked((int)count)];
        AlignedBuffer buffer = new(SegmentHeader.Room);
        for (int slot = 0; slot < slots.Length; slot++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int read = await channel.ReadAsync(geometry.SlotOffset(slot), buffer, SegmentHeader.Room).ConfigureAwait(false);
            buffer.Span[read..].Clear();
            slots[slot] = SegmentHeader.TryRead(buffer.Span, geometry, out long segment) ? segment : -1;
        }

        return slots;
    }

    private static Dictionary<long, int> Sort(IBlockDevice device, LogGeometry geometry, long[] slots)
    {
        Dictionary<long, int> bySegment = [];
        for (int slot = 0; slot < slots.Length; slot++)
        {
            if (slots[slot] >= 0 && !bySegment.TryAdd(slots[slot], slot))
            {
                throw new LogCorruptException(
                    device.Name, geometry.StartOf(slots[slot]), geometry.SlotOffset(slot), $"one segment {slots[slot]}", $"another one at offset {geometry.SlotOffset(bySegment[slots[slot]])}");
            }
        }

        return bySegment;
    }

    private static SegmentMap MapSlots(LogGeometry geometry, LogHeader header, long[] slots, ulong redoPoint, LogEnd end)
    {
        // Slots at the end that no seal knows of may have been made longer by half when the machine stopped, so that they are no room yet.
        int count = slots.Length;
        while (count > Math.Max(header.MinimumSegments, end.SealSegments) && slots[count - 1] < 0)
        {
            count--;
        }

        long first = FirstNeeded(geometry, redoPoint);
        if (redoPoint > geometry.FirstLsn && first < geometry.SegmentOf(redoPoint - 1) && !slots.Contains(first))
        {
            // Recycled for the redo point before, which lay in the same segment as this one (LOG-8).
            first++;
        }

        return new SegmentMap(geometry, first, slots, count);
    }

    /// <summary>The first segment that opening at a redo point looks at: where a block begins, the seal before it has to be there (LOG-8).</summary>
    private static long FirstNeeded(LogGeometry geometry, ulong redoPoint)
    {
        ulong before = geometry.IsBlockStart(redoPoint) ? (ulong)geometry.SealBytes : 0;
        return redoPoint - geometry.FirstLsn <= before ? 0 : geometry.SegmentOf(redoPoint - before);
    }

    private static async Task WriteZerosAsync(DeviceChannel channel, long from, long end, CancellationToken cancellationToken)
    {
        AlignedBuffer zeros = new((int)Math.Min(1 << 20, end - from));
        for (long offset = from; offset < end; offset += zeros.Size)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await channel.WriteAsync(offset, zeros, (int)Math.Min(zeros.Size, end - offset)).ConfigureAwait(false);
        }
    }

    private LogCorruptException Broken(LogStream stream, RecordScanner scanner, ulong limit) =>
        new(Name, scanner.Position, stream.OffsetOf(scanner.Position), $"records up to LSN {limit}", scanner.Found);

    private LogStream Stream()
    {
        lock (_gate)
        {
            return new LogStream(_device, _geometry, _map.Snapshot());
        }
    }

    private (ulong Start, ulong? Chain) RedoStart()
    {
        lock (_gate)
        {
            return (_redoPoint, _redoChain);
        }
    }
}
