using System.Buffers.Binary;
using System.Runtime.InteropServices;
using StorageCache.IO;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>
/// Looks through a whole file for a seal or an epoch that says that more was durable than the chain holds (LOG-6). It looks into every slot,
/// whatever its header says: the header may be what has decayed.
/// </summary>
internal sealed class ClaimSearch(IBlockDevice device, LogGeometry geometry, Dictionary<long, int> slots, int slotCount)
{
    private const int WindowBytes = 1 << 20;

    /// <summary>More than any record of the log's own has, and a multiple of every alignment.</summary>
    private const int Overlap = 8192;

    private readonly DeviceChannel _channel = new(device);
    private readonly AlignedBuffer _window = new(Math.Min(WindowBytes, geometry.SegmentData));
    private readonly byte[] _straddling = new byte[Overlap];

    /// <summary>What may be records of which the slot holds the beginning only: where they begin, in the log and in the window.</summary>
    private readonly List<(ulong Lsn, int Index)> _cut = [];

    /// <summary>Finds the greatest claim beyond an end, and where it stands; (0, 0) if there is none.</summary>
    /// <param name="end">Where the chain ends.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="IOException">The device has failed.</exception>
    public async Task<(ulong Claim, ulong Lsn)> FindAsync(ulong end, CancellationToken cancellationToken)
    {
        (ulong Claim, ulong Lsn) found = default;
        LogStream stream = new(device, geometry, slots);
        for (int slot = 0; slot < slotCount; slot++)
        {
            for (long from = 0; from < geometry.SegmentData; from += _window.Size - Overlap)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int length = (int)Math.Min(_window.Size, geometry.SegmentData - from);
                long offset = geometry.SlotOffset(slot) + SegmentHeader.Room + from;
                int read = await _channel.ReadAsync(offset, _window, length).ConfigureAwait(false);
                found = Greater(found, Look(_window.Span[..read], from, end));
                foreach ((ulong lsn, int index) in _cut)
                {
                    found = Greater(found, await LookAcrossAsync(stream, lsn, index).ConfigureAwait(false));
                }

                _cut.Clear();
            }
        }

        return found.Claim > end ? found : default;
    }

    private static (ulong Claim, ulong Lsn) Greater((ulong Claim, ulong Lsn) one, (ulong Claim, ulong Lsn) other) => other.Claim > one.Claim ? other : one;

    private (ulong Claim, ulong Lsn) Look(ReadOnlySpan<byte> bytes, long from, ulong end)
    {
        (ulong Claim, ulong Lsn) found = default;
        ulong data = (ulong)geometry.SegmentData;

        // No position that the log can have reached is beyond: each of its slots holds one segment.
        ulong beyond = end + (((ulong)slotCount + 1) * data);
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (int i = 0; i + (RecordHeader.Size / sizeof(ulong)) <= words.Length; i++)
        {
            ulong lsn = BitConverter.IsLittleEndian ? words[i + 2] : BinaryPrimitives.ReverseEndianness(words[i + 2]);
            if (lsn < end || lsn >= beyond || (lsn - geometry.FirstLsn) % data != (ulong)(from + (i * 8L)))
            {
                continue;
            }

            ReadOnlySpan<byte> record = bytes[(i * 8)..];
            if (RecordChecks.IsOwn(record, lsn, geometry))
            {
                found = Greater(found, (Claim(record), lsn));
            }
            else if (from + bytes.Length == geometry.SegmentData && record.Length < Overlap)
            {
                _cut.Add((lsn, i * 8));
            }
        }

        return found;
    }

    // The end of the record lies in the next segment, whose header has to be right for that.
    private async ValueTask<(ulong Claim, ulong Lsn)> LookAcrossAsync(LogStream stream, ulong lsn, int index)
    {
        long next = geometry.SegmentOf(lsn) + 1;
        if (!slots.ContainsKey(next))
        {
            return default;
        }

        int first = (int)(geometry.StartOf(next) - lsn);
        _window.Span.Slice(index, first).CopyTo(_straddling);
        await stream.CopyAsync(geometry.StartOf(next), _straddling.AsMemory(first)).ConfigureAwait(false);
        return RecordChecks.IsOwn(_straddling, lsn, geometry) ? (Claim(_straddling), lsn) : default;
    }

    private static ulong Claim(ReadOnlySpan<byte> record) => BinaryPrimitives.ReadUInt64LittleEndian(record[RecordHeader.Size..]);
}
