namespace StorageCache.ReadAhead;

/// <summary>
/// The last misses that belong to no stream, found by their pages: what a miss costs here does not depend on how many there
/// are. Not thread-safe.
/// </summary>
/// <remarks>
/// Four places for each value of a hash, side by side in 64 bytes, of which the one heard of least lately is overwritten. One that is
/// lost in this way costs its reader a few more pages by themselves.
/// </remarks>
internal sealed class CandidateTable
{
    /// <summary>The most misses that the next ones are compared with.</summary>
    public const int Capacity = 1 << (SetBits + WayBits);

    private const int WayBits = 2;
    private const int SetBits = 7;

    private readonly StreamCandidate[] _entries = new StreamCandidate[Capacity];

    /// <summary>Notes a miss, and returns what it continues or begins.</summary>
    /// <param name="page">The page.</param>
    /// <param name="now">The time, by the table's clock.</param>
    /// <param name="lifetime">How old a miss may be that this one continues.</param>
    /// <param name="gap">How old it was; 0 if there was none.</param>
    public StreamCandidate Note(long page, uint now, int lifetime, out int gap)
    {
        int last = Longer(Find(page - 1, +1, now, lifetime), Find(page + 1, -1, now, lifetime));
        StreamCandidate candidate;
        if (last < 0)
        {
            gap = 0;
            candidate = new StreamCandidate(page, now, run: 1, direction: 0);
        }
        else
        {
            ref StreamCandidate entry = ref _entries[last];
            gap = (int)(now - entry.Heard);
            candidate = new StreamCandidate(page, now, (short)Math.Min(entry.Run + 1, short.MaxValue), (short)(page - entry.Page));
            entry = default;
        }

        _entries[PlaceFor(page, now)] = candidate;
        return candidate;
    }

    /// <summary>Forgets a page that has become part of a stream.</summary>
    public void Remove(long page)
    {
        int first = SetOf(page);
        for (int i = first; i < first + (1 << WayBits); i++)
        {
            if (_entries[i].Run > 0 && _entries[i].Page == page)
            {
                _entries[i] = default;
            }
        }
    }

    /// <summary>The first entry of those that may hold a page.</summary>
    private static int SetOf(long page) => (int)(((ulong)page * 0x9E3779B97F4A7C15) >> (64 - SetBits)) << WayBits;

    private int Longer(int one, int other) => one < 0 ? other : other < 0 ? one : _entries[one].Run >= _entries[other].Run ? one : other;

    /// <summary>The candidate at a page that goes in a direction, or may; -1 if there is none.</summary>
    private int Find(long page, int direction, uint now, int lifetime)
    {
        int first = SetOf(page);
        for (int i = first; i < first + (1 << WayBits); i++)
        {
            ref readonly StreamCandidate entry = ref _entries[i];
            if (entry.Page == page && entry.MayGo(direction) && now - entry.Heard <= (uint)lifetime)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Where a page goes: where it is, where nothing is, or in the place of the one heard of least lately.</summary>
    private int PlaceFor(long page, uint now)
    {
        int first = SetOf(page);
        int place = first;
        uint oldest = 0;
        for (int i = first; i < first + (1 << WayBits); i++)
        {
            ref readonly StreamCandidate entry = ref _entries[i];
            if (entry.Run > 0 && entry.Page == page)
            {
                return i;
            }

            uint age = entry.Run == 0 ? uint.MaxValue : now - entry.Heard;
            if (age > oldest)
            {
                oldest = age;
                place = i;
            }
        }

        return place;
    }
}
