using System.Numerics;

namespace StorageCache.ReadAhead;

/// <summary>
/// The streams of one mapping, found by the pages around them. A look-up compares a page with the bounds of all of them, which
/// lie side by side, and goes to a stream only where it is within them. Not thread-safe.
/// </summary>
internal sealed class StreamSet
{
    /// <summary>The most streams that are read ahead for at once.</summary>
    public const int Capacity = 64;

    /// <summary>As many places as come with each growth; a whole number of vectors of any width.</summary>
    private const int Growth = 16;

    private SequentialStream[] _streams = [];
    private long[] _lowest = [];

    /// <summary>From the lowest page to the one after the highest; 0 where there is no stream, so that nothing is within its bounds.</summary>
    private ulong[] _lengths = [];

    /// <summary>How many places there are.</summary>
    public int Count => _streams.Length;

    /// <summary>A stream. After a change of its bounds, <see cref="Bound"/> is called.</summary>
    public ref SequentialStream this[int place] => ref _streams[place];

    /// <summary>The first stream, at a place or after it, that a page is within the bounds of; -1 if there is none.</summary>
    public int Next(long page, int from)
    {
        Vector<ulong> pages = new((ulong)page);
        int width = Vector<ulong>.Count;
        int i = from;
        while (i < _lengths.Length)
        {
            if (i % width == 0 && !Vector.LessThanAny(pages - Vector.AsVectorUInt64(new Vector<long>(_lowest, i)), new Vector<ulong>(_lengths, i)))
            {
                i += width;
            }
            else if ((ulong)(page - _lowest[i]) < _lengths[i])
            {
                return i;
            }
            else
            {
                i++;
            }
        }

        return -1;
    }

    /// <summary>Notes the bounds of a stream as they are now.</summary>
    public void Bound(int place)
    {
        ref readonly SequentialStream stream = ref _streams[place];
        _lowest[place] = stream.Lowest;
        _lengths[place] = stream.IsInUse ? (ulong)(stream.Highest - stream.Lowest + 1) : 0;
    }

    /// <summary>Takes a stream out.</summary>
    public void Remove(int place)
    {
        _streams[place] = default;
        Bound(place);
    }

    /// <summary>
    /// A place for one more stream: a free one, or that of the one that has given no sign of life for too long, by most. Returns -1
    /// while all of them are read: one more would drive out another, which would come again, and none would be read ahead of.
    /// </summary>
    public int FindPlace(long now)
    {
        int place = -1;
        long most = -1;
        for (int i = 0; i < _streams.Length; i++)
        {
            if (!_streams[i].IsInUse)
            {
                return i;
            }

            long overdue = _streams[i].Overdue(now);
            if (overdue > most)
            {
                most = overdue;
                place = i;
            }
        }

        if (_streams.Length == Capacity)
        {
            return place;
        }

        place = _streams.Length;
        Array.Resize(ref _streams, place + Growth);
        Array.Resize(ref _lowest, place + Growth);
        Array.Resize(ref _lengths, place + Growth);
        return place;
    }
}
