using System.Buffers.Binary;
using System.IO.Hashing;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>Walks from record to record, as long as the chain holds (LOG-5).</summary>
internal sealed class RecordScanner(LogStream stream, ulong position, ulong? chain)
{
    /// <summary>Header, payload and padding; larger ones take the place of this one.</summary>
    private byte[] _record = new byte[4096];

    /// <summary>LSN at which the next record begins.</summary>
    public ulong Position { get; private set; } = position;

    /// <summary>What the next record must have for the checksum of the record before; null if it may be anything.</summary>
    public ulong? Chain { get; private set; } = chain;

    /// <summary>LSN at which the record begins.</summary>
    public ulong Start { get; private set; }

    /// <summary>Kind of the record.</summary>
    public byte Kind { get; private set; }

    /// <summary>Payload of the record; valid until the next move.</summary>
    public ReadOnlyMemory<byte> Payload { get; private set; }

    /// <summary>What stands at <see cref="Position"/> after a move that failed.</summary>
    public string Found { get; private set; } = "";

    /// <summary>What a seal says of the file's segments.</summary>
    public long SealSegments => BinaryPrimitives.ReadInt64LittleEndian(Payload.Span[8..]);

    /// <summary>Goes to the next record. False where the chain ends: <see cref="Found"/> says how.</summary>
    /// <exception cref="IOException">The device has failed.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<bool> MoveNextAsync()
    {
        if (!stream.Has(Position, RecordHeader.Size))
        {
            return Stop("no segment with that LSN");
        }

        await stream.CopyAsync(Position, _record.AsMemory(0, RecordHeader.Size)).ConfigureAwait(false);
        RecordHeader header = RecordHeader.Read(_record);
        if (Check(header) is { } defect)
        {
            return Stop(defect);
        }

        int bytes = (int)stream.Geometry.RecordBytes(Position, header.Kind, header.PayloadBytes);
        if (!stream.Has(Position, bytes))
        {
            return Stop($"a record of {bytes} bytes, not all of whose segments are there");
        }

        if (_record.Length < bytes)
        {
            Array.Resize(ref _record, checked((int)BitOperations.RoundUpToPowerOf2((uint)bytes)));
        }

        await stream.CopyAsync(Position + RecordHeader.Size, _record.AsMemory(RecordHeader.Size, bytes - RecordHeader.Size)).ConfigureAwait(false);
        ulong checksum = XxHash3.HashToUInt64(_record.AsSpan(RecordHeader.ChecksumBytes, bytes - RecordHeader.ChecksumBytes), stream.Geometry.Seed);
        if (checksum != header.Checksum)
        {
            return Stop($"a record of {bytes} bytes whose checksum is {checksum:x16} and says {header.Checksum:x16}");
        }

        Start = Position;
        Kind = header.Kind;
        Payload = _record.AsMemory(RecordHeader.Size, (int)header.PayloadBytes);
        Position += (ulong)bytes;
        Chain = checksum;
        return true;
    }

    private string? Check(RecordHeader header)
    {
        if (header.Start != Position)
        {
            return $"what says that it begins at LSN {header.Start}";
        }

        if (Chain is { } chain && header.Previous != chain)
        {
            return $"a record that follows upon one with the checksum {header.Previous:x16}, not {chain:x16}";
        }

        return RecordChecks.IsPossible(header, stream.Geometry) ? null : $"a record of kind {header.Kind} with {header.PayloadBytes} bytes";
    }

    private bool Stop(string found)
    {
        Found = found;
        Payload = default;
        return false;
    }

}
