using System.Diagnostics;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>Which slot holds which segment, and which slots are free. Guarded by the log's lock.</summary>
internal sealed class SegmentMap
{
    private readonly LogGeometry _geometry;

    /// <summary>Slots by segment: those that hold what is needed, those next in turn, and those whose header names a segment to come (LOG-9).</summary>
    private readonly Dictionary<long, int> _slots = [];

    /// <summary>Slots that hold nothing that is needed.</summary>
    private readonly SortedSet<int> _free = [];

    /// <summary>The first segment that is needed.</summary>
    private long _first;

    /// <summary>The first segment from there on that has no slot.</summary>
    private long _next;

    /// <param name="geometry">Of the log.</param>
    /// <param name="first">The first segment that is needed.</param>
    /// <param name="slots">What the slots hold: a segment's number, or less than 0 for none.</param>
    /// <param name="count">So many of them.</param>
    public SegmentMap(LogGeometry geometry, long first, ReadOnlySpan<long> slots, int count)
    {
        _geometry = geometry;
        _first = _next = first;
        SlotCount = count;
        for (int slot = 0; slot < count; slot++)
        {
            if (slots[slot] < first)
            {
                _free.Add(slot);
            }
            else
            {
                _slots.Add(slots[slot], slot);
            }
        }

        FindNext();
    }

    /// <summary>Slots that the file has.</summary>
    public int SlotCount { get; private set; }

    public int FreeCount => _free.Count;

    /// <summary>LSN up to which the stream has slots.</summary>
    public ulong RoomEnd => _geometry.StartOf(_next);

    /// <summary>The slot that a segment has, or -1.</summary>
    public int SlotOf(long segment) => _slots.GetValueOrDefault(segment, -1);

    /// <summary>Slots by segment, as they are now.</summary>
    public Dictionary<long, int> Snapshot() => new(_slots);

    /// <summary>Gives free slots to the next segments, up to an LSN. Returns how many slots are missing.</summary>
    public int Extend(ulong end)
    {
        while (RoomEnd < end && _free.Count > 0)
        {
            int slot = _free.Min;
            _free.Remove(slot);
            _slots.Add(_next, slot);
            FindNext();
        }

        int missing = 0;
        for (long segment = _next; _geometry.StartOf(segment) < end; segment++)
        {
            missing += _slots.ContainsKey(segment) ? 0 : 1;
        }

        return missing;
    }

    /// <summary>Takes in slots that the file has got at its end.</summary>
    public void AddSlots(int count)
    {
        for (; count > 0; count--)
        {
            _free.Add(SlotCount++);
        }
    }

    /// <summary>Frees what lies below a segment.</summary>
    public void Recycle(long first)
    {
        for (; _first < first; _first++)
        {
            if (_slots.Remove(_first, out int slot))
            {
                _free.Add(slot);
            }
        }

        Debug.Assert(_next >= _first, "What is recycled has been written.");
    }

    /// <summary>How many slots are left if free ones at the end go, but for a number.</summary>
    public int CountWithoutFreeEnd(int least)
    {
        int count = SlotCount;
        while (count > least && _free.Contains(count - 1))
        {
            count--;
        }

        return count;
    }

    /// <summary>Gives up the free slots at the end of the file.</summary>
    public void Cut(int count)
    {
        while (SlotCount > count)
        {
            bool isFree = _free.Remove(--SlotCount);
            Debug.Assert(isFree, "Only free slots are cut off (LOG-10).");
        }
    }

    private void FindNext()
    {
        while (_slots.ContainsKey(_next))
        {
            _next++;
        }
    }
}
