using StorageCache.IO;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>A redo log in a file of its own: records appended in memory, written in batches, made durable for many committers at once.</summary>
/// <remarks>
/// <para>
/// <c>docs/key-value-store-log.md</c> has the format, the protocol and the invariants (LOG-1 and following) that asserts and tests cite.
/// </para>
/// <para>
/// An LSN is a byte position in the endless stream of the log's data. The LSN of a record is the position of its end: once
/// <see cref="DurableLsn"/> is not below it, the record survives whatever happens.
/// </para>
/// <para>
/// Use: <see cref="CreateAsync"/> or <see cref="OpenAsync"/>, <see cref="ReadAsync"/> as often as wanted, <see cref="BeginAsync"/>, and then
/// groups of <see cref="ReserveAsync"/>, <c>Append</c>, <see cref="Publish"/>.
/// </para>
/// <para>
/// Thread safety: one party at a time reserves, appends and publishes (a store's writer lock); everything else may be called from any thread.
/// The device is the caller's, to be disposed of after the log.
/// </para>
/// </remarks>
internal sealed partial class WriteAheadLog : IAsyncDisposable
{
    private readonly IBlockDevice _device;
    private readonly LogOptions _options;
    private readonly LogGeometry _geometry;

    /// <summary>Segments that the file is never cut below.</summary>
    private readonly int _minimumSegments;

    /// <summary>Guards everything below that does not say otherwise. Never held while anything of anybody else's runs.</summary>
    private readonly Lock _gate = new();

    private readonly SegmentMap _map;

    private ulong _redoPoint;

    /// <summary>What the record at the redo point has for the checksum of the record before it; null if that is not known.</summary>
    private ulong? _redoChain;

    /// <summary>Checksum of the last record appended. Of whoever has the group open, else guarded by the lock.</summary>
    private ulong _chain;

    private WriteAheadLog(
        IBlockDevice device, LogOptions options, LogHeader header, LogGeometry geometry, SegmentMap map, ulong redoPoint, LogEnd end)
    {
        _device = device;
        _options = options;
        _geometry = geometry;
        _map = map;
        _minimumSegments = Math.Max(header.MinimumSegments, options.MinimumSegments);
        _redoPoint = redoPoint;
        _redoChain = end.RedoChain;
        _chain = end.Chain;
        _neededBefore = map.SlotCount - map.FreeCount;
        EndLsn = end.Lsn;
        _appended = _sealed = _written = _durable = end.Lsn;
        _buffer = new LogBuffer(0);
        _transfers = new DeviceChannel(device);
    }

    /// <summary>What messages call the log: the name of its device.</summary>
    public string Name => _device.Name;

    /// <summary>Where the log's stream begins: the first record ever began there. A multiple of 4096, more than 0.</summary>
    public ulong FirstLsn => _geometry.FirstLsn;

    /// <summary>Where recovery begins: what was opened with, or a later one that was recycled below.</summary>
    public ulong RedoPoint => Volatile.Read(ref _redoPoint);

    /// <summary>Where the log ended when it was opened. Equal to the redo point if there is nothing to redo.</summary>
    public ulong EndLsn { get; }

    /// <summary>
    /// Where the next record will begin, once everything appended before: a redo point, when no group is open and once
    /// <see cref="DurableLsn"/> has reached it.
    /// </summary>
    public ulong NextLsn => Volatile.Read(ref _appended);

    /// <summary>Up to here everything has been written. Survives the end of the process, but not of the machine.</summary>
    public ulong WrittenLsn => Volatile.Read(ref _written);

    /// <summary>Up to here everything is durable.</summary>
    public ulong DurableLsn => Volatile.Read(ref _durable);

    /// <summary>What the log has done so far.</summary>
    public LogStatistics Statistics
    {
        get
        {
            lock (_gate)
            {
                return new LogStatistics
                {
                    Segments = _map.SlotCount,
                    FreeSegments = _map.FreeCount,
                    BytesSinceRedoPoint = (long)(NextLsn - _redoPoint),
                    Batches = _batches,
                    BytesWritten = (long)(_written - EndLsn),
                    Flushes = _flushes,
                    Commits = _commits,
                    WriteRetries = _retries,
                };
            }
        }
    }

    /// <summary>Bytes that a record takes at most: what <see cref="ReserveAsync"/> wants to be told for each.</summary>
    /// <param name="payloadBytes">Bytes of the payload.</param>
    public static long SizeOf(int payloadBytes) => ((RecordHeader.Size + (long)payloadBytes + 7) & ~7L) + 8;
}
