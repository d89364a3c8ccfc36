using System.Diagnostics;
using StorageCache.Platform;

namespace StorageCache.IO;

/// <summary>How far a vectored transfer has come, and what is left of it as <c>iovec</c> entries.</summary>
internal unsafe ref struct SegmentCursor
{
    /// <summary>All segments of the transfer.</summary>
    private readonly ReadOnlySpan<BlockSegment> _segments;

    /// <summary>The first segment that is not finished.</summary>
    private int _index;

    /// <summary>Bytes of that segment that are done.</summary>
    private int _done;

    public SegmentCursor(ReadOnlySpan<BlockSegment> segments)
    {
        _segments = segments;
        foreach (BlockSegment segment in segments)
        {
            Remaining += segment.Length;
        }
    }

    /// <summary>Segments of the transfer, finished ones included: the most entries that <see cref="Fill"/> can need.</summary>
    public readonly int SegmentCount => _segments.Length;

    /// <summary>Bytes not yet transferred.</summary>
    public int Remaining { get; private set; }

    /// <summary>Describes what is left, as much of it as there is room for. Segments that touch in memory become one entry.</summary>
    /// <returns>Entries used.</returns>
    public readonly int Fill(Span<IoVector> vectors)
    {
        int count = 0;
        int skip = _done;
        for (int i = _index; i < _segments.Length; i++)
        {
            byte* address = _segments[i].Address + skip;
            nuint length = (nuint)(_segments[i].Length - skip);
            skip = 0;
            if (count > 0 && vectors[count - 1].Base + vectors[count - 1].Length == address)
            {
                vectors[count - 1].Length += length;
            }
            else if (count < vectors.Length)
            {
                vectors[count].Base = address;
                vectors[count].Length = length;
                count++;
            }
            else
            {
                break;
            }
        }

        return count;
    }

    /// <summary>Notes that the next bytes have been transferred.</summary>
    /// <param name="bytes">0 to <see cref="Remaining"/>.</param>
    public void Advance(int bytes)
    {
        Debug.Assert((uint)bytes <= (uint)Remaining, "I/O-5: the kernel transferred more than was asked.");
        Remaining -= bytes;
        while (_index < _segments.Length && bytes >= _segments[_index].Length - _done)
        {
            bytes -= _segments[_index].Length - _done;
            _done = 0;
            _index++;
        }

        _done += bytes;
    }
}
