using System.Buffers.Binary;
using StorageCache.IO;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>Finds where a log ends, and makes sure that nothing durable lies beyond.</summary>
internal sealed class EndFinder(IBlockDevice device, LogGeometry geometry, LogHeader header, Dictionary<long, int> slots, int slotCount, long length)
{
    private readonly LogStream _stream = new(device, geometry, slots);

    /// <summary>Walks from the redo point to the last seal of the chain.</summary>
    /// <exception cref="LogCorruptException">The redo point is none, or something durable is missing.</exception>
    /// <exception cref="LogFormatException">The file was cut off.</exception>
    /// <exception cref="IOException">The device has failed.</exception>
    public async Task<LogEnd> FindAsync(ulong redoPoint, CancellationToken cancellationToken)
    {
        LogEnd end = await StartAsync(redoPoint).ConfigureAwait(false);
        RecordScanner scanner = new(_stream, redoPoint, end.RedoChain);
        while (await scanner.MoveNextAsync().ConfigureAwait(false))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (scanner.Kind == LogKind.Seal)
            {
                // A batch counts when it is whole, which its seal says: the rest of one that is not is written over (LOG-5).
                end = end with { Lsn = scanner.Position, Chain = scanner.Chain!.Value, SealSegments = scanner.SealSegments };
            }
        }

        header.RequireLength(device.Name, length, end.SealSegments);
        if (!geometry.IsBlockStart(end.Lsn))
        {
            // A redo point inside a block lies inside a batch, and is durable: so the rest of the batch has to be there (LOG-8).
            throw Corrupt(scanner.Position, $"the batch around the redo point {redoPoint}, which was durable", scanner.Found);
        }

        (ulong claim, ulong lsn) = await new ClaimSearch(device, geometry, slots, slotCount).FindAsync(end.Lsn, cancellationToken).ConfigureAwait(false);
        return claim == 0 ? end : throw Corrupt(scanner.Position, $"a record, as LSN {claim} was durable, says LSN {lsn}", scanner.Found);
    }

    /// <summary>Finds out what the record before the redo point has for a checksum.</summary>
    private async ValueTask<LogEnd> StartAsync(ulong redoPoint)
    {
        if (redoPoint < geometry.FirstLsn || redoPoint % 8 != 0)
        {
            throw Corrupt(redoPoint, "a redo point", $"a number that is none: the log begins at LSN {geometry.FirstLsn}");
        }

        if (redoPoint == geometry.FirstLsn)
        {
            return new LogEnd(redoPoint, geometry.FirstChain, geometry.FirstChain, header.MinimumSegments);
        }

        if (!geometry.IsBlockStart(redoPoint))
        {
            return new LogEnd(redoPoint, 0, null, header.MinimumSegments);
        }

        // Where a block begins, a seal ends (LOG-4), unless the log is not what it was.
        int length = (int)Math.Min((ulong)geometry.SealBytes, redoPoint - geometry.FirstLsn);
        ulong from = redoPoint - (ulong)length;
        ulong segment = geometry.StartOf(geometry.SegmentOf(redoPoint - 1));
        if (from < segment && !_stream.Has(from, 1))
        {
            // The redo point before this one lay in this segment, and its seal with it: what is before the segment was recycled then.
            from = segment;
            length = (int)(redoPoint - segment);
        }

        byte[] bytes = new byte[length];
        if (!_stream.Has(from, length))
        {
            throw Corrupt(redoPoint, "the redo point and what stands before it", "no segment with that LSN");
        }

        await _stream.CopyAsync(from, bytes).ConfigureAwait(false);
        for (int start = length - RecordHeader.LeastSealBytes; start >= 0; start -= 8)
        {
            ReadOnlySpan<byte> record = bytes.AsSpan(start);
            if (record[28] == LogKind.Seal && RecordChecks.IsOwn(record, from + (ulong)start, geometry))
            {
                ulong chain = RecordHeader.Read(record).Checksum;
                return new LogEnd(redoPoint, chain, chain, BinaryPrimitives.ReadInt64LittleEndian(record[(RecordHeader.Size + 8)..]));
            }
        }

        throw Corrupt(redoPoint, "a seal before the redo point", "none");
    }

    private LogCorruptException Corrupt(ulong lsn, string expected, string found) => new(device.Name, lsn, _stream.OffsetOf(lsn), expected, found);
}
