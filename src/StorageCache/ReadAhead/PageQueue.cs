using System.Diagnostics;

namespace StorageCache.ReadAhead;

/// <summary>Page numbers, first in, first out, up to a capacity. Not thread-safe.</summary>
internal sealed class PageQueue
{
    private readonly long[] _pages;
    private int _first;

    public PageQueue(int capacity) => _pages = new long[capacity];

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>Whether no more fit.</summary>
    public bool IsFull => Count == _pages.Length;

    /// <summary>A page by its place, 0 for the first.</summary>
    public long this[int index] => _pages[(_first + index) % _pages.Length];

    /// <summary>Adds a page at the end.</summary>
    public void Enqueue(long page)
    {
        Debug.Assert(!IsFull, "a queue takes as many as it was made for");
        _pages[(_first + Count) % _pages.Length] = page;
        Count++;
    }

    /// <summary>Takes the first page.</summary>
    public long Dequeue()
    {
        Debug.Assert(Count > 0, "there is a page to take");
        long page = _pages[_first];
        _first = (_first + 1) % _pages.Length;
        Count--;
        return page;
    }
}
