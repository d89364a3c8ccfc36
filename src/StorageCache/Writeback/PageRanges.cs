using System.Diagnostics;

namespace StorageCache.Writeback;

/// <summary>Page numbers in their order, as ranges, and a place in them. Not thread-safe.</summary>
internal sealed class PageRanges
{
    private readonly List<(long First, long End)> _ranges = [];
    private int _index;
    private long _next;

    /// <summary>How many pages there are.</summary>
    public long Count { get; private set; }

    /// <summary>How many pages lie before the place.</summary>
    public long Passed { get; private set; }

    /// <summary>Whether there are pages at or behind the place.</summary>
    public bool HasMore => _index < _ranges.Count;

    /// <summary>The page at the place.</summary>
    public long Next => Math.Max(_next, _ranges[_index].First);

    /// <summary>The end of the range that the place is in.</summary>
    public long End => _ranges[_index].End;

    /// <summary>Adds a page behind all others.</summary>
    public void Add(long page)
    {
        Debug.Assert(_ranges.Count == 0 || page >= _ranges[^1].End, "pages are added in their order");
        Count++;
        if (_ranges.Count > 0 && _ranges[^1].End == page)
        {
            _ranges[^1] = (_ranges[^1].First, page + 1);
        }
        else
        {
            _ranges.Add((page, page + 1));
        }
    }

    /// <summary>Goes on to a page, or the first one behind it.</summary>
    public void AdvanceTo(long page)
    {
        while (HasMore && End <= page)
        {
            Passed += End - Next;
            _index++;
        }

        if (HasMore && page > Next)
        {
            Passed += page - Next;
            _next = page;
        }
    }

    /// <summary>Goes back to the front.</summary>
    public void Rewind()
    {
        _index = 0;
        _next = 0;
        Passed = 0;
    }
}
