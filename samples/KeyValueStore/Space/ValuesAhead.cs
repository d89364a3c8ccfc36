using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Tree;

namespace StorageCache.KeyValueStore.Space;

/// <summary>The large values that a scan comes to next in the leaf it has copied, read before they are wanted. One scan's; not thread-safe.</summary>
/// <remarks>Only a hint: each value is looked up anew at its turn. Values on scattered pages are left to whoever reads them.</remarks>
internal sealed class ValuesAhead(Mapping mapping, PageLimits limits, ScanOptions options)
{
    private const int LargestWindow = 512 * 1024;
    private const int FirstWindow = 4;

    private readonly int _largest = (int)Math.Clamp(mapping.Cache.MemoryLimit / limits.PageSize / 16, 1, LargestWindow / limits.PageSize);
    private readonly Queue<int> _announced = new();
    private int _window = FirstWindow;
    private int _next;
    private int _pages;
    private long _runFirst;
    private int _runLength;

    /// <summary>Begins with a leaf.</summary>
    /// <param name="index">The first entry that the scan will give.</param>
    public void Begin(int index)
    {
        _announced.Clear();
        _pages = 0;
        _next = index;
    }

    /// <summary>To be called before each large value is read; asks for those that follow when half of the last have been passed.</summary>
    /// <param name="leaf">The copied leaf.</param>
    /// <param name="index">The value's entry.</param>
    /// <param name="remaining">Entries that the scan may still give, this one included.</param>
    public void Advance(LeafSnapshot leaf, int index, long remaining)
    {
        if (_announced.TryDequeue(out int passed))
        {
            _pages -= passed;
        }

        if (_pages > _window / 2)
        {
            return;
        }

        TreePage page = new(leaf.Bytes);
        int step = options.Reverse ? -1 : 1;
        while (_pages < _window && _next >= 0 && _next < page.Count && Math.Abs(_next - index) < remaining
            && page.TryGetCell(_next, out TreeCell cell) && !IsBeyond(cell.Key))
        {
            _next += step;
            if (cell.IsOverflow && OverflowReference.TryRead(cell.Payload, out OverflowReference value))
            {
                Announce(value, isThis: _next - step == index);
            }
        }

        Submit();
        _window = Math.Min(_window * 2, Math.Max(_largest, FirstWindow));
    }

    private bool IsBeyond(ReadOnlySpan<byte> key) => options.Reverse
        ? key.SequenceCompareTo(options.From.Span) < 0
        : !options.To.IsEmpty && key.SequenceCompareTo(options.To.Span) >= 0;

    private void Announce(in OverflowReference value, bool isThis)
    {
        long pages = limits.OverflowPages(value.Length);
        bool isRun = value.IsRun && value.FirstPage + pages <= mapping.PageCount;

        // Of a long value the beginning: its reader asks for the rest. The value being read now is not waited for in the queue.
        int count = isRun ? (int)Math.Min(pages, _largest) : 0;
        if (!isThis)
        {
            _announced.Enqueue(count);
            _pages += count;
        }

        if (count == 0)
        {
            return;
        }

        if (_runLength > 0 && value.FirstPage == _runFirst + _runLength)
        {
            _runLength += count;
        }
        else if (_runLength > 0 && value.FirstPage + count == _runFirst)
        {
            _runFirst = value.FirstPage;
            _runLength += count;
        }
        else
        {
            Submit();
            (_runFirst, _runLength) = (value.FirstPage, count);
        }
    }

    private void Submit()
    {
        if (_runLength > 0)
        {
            mapping.Prefetch(_runFirst, _runLength);
        }

        _runLength = 0;
    }
}
