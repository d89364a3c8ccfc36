using StorageCache.KeyValueStore.Format;

namespace StorageCache.KeyValueStore.Tree;

/// <summary>The leaves that a scan comes to next, as the branch above its leaf lists them, read before they are wanted. One scan's; not thread-safe.</summary>
/// <remarks>
/// Only a hint, since writers may have rearranged the tree by the time the scan comes there: the scan finds each leaf from the root, and what
/// was read in vain is an unused page in the cache.
/// </remarks>
internal sealed class LeavesAhead(Mapping mapping, PageLimits limits, ScanOptions options)
{
    private const int LargestWindow = 256 * 1024;

    private readonly long[] _pages = new long[Math.Clamp(mapping.Cache.MemoryLimit / limits.PageSize / 32, 1, LargestWindow / limits.PageSize)];
    private int _count;
    private int _window = 1;

    /// <summary>Leaves that the scan has to pass before more are asked for.</summary>
    private int _rest;

    /// <summary>Notes the children that follow the one at a position, as far as the scan may go. False when the page cannot be right.</summary>
    /// <param name="branch">A branch above leaves; its bytes may be torn, and what is noted is garbage until they are validated.</param>
    /// <param name="index">Where the scan's leaf is.</param>
    public bool TryNote(TreePage branch, int index)
    {
        _count = 0;
        int step = options.Reverse ? -1 : 1;
        for (int i = index + step; i >= 0 && i < branch.Count && _count < _window; i += step)
        {
            if (!branch.TryGetCell(i, out TreeCell cell))
            {
                return false;
            }

            if (!options.Reverse && !options.To.IsEmpty && cell.Key.SequenceCompareTo(options.To.Span) >= 0)
            {
                break;
            }

            _pages[_count++] = cell.Child;
            if (options.Reverse && cell.Key.SequenceCompareTo(options.From.Span) <= 0)
            {
                break;
            }
        }

        return true;
    }

    /// <summary>Moves on to the leaf whose followers have been noted, and asks for them when half of the last have been passed.</summary>
    /// <param name="allocator">Knows which pages there are.</param>
    public void Advance(Space.PageAllocator allocator)
    {
        if (--_rest > _window / 2)
        {
            return;
        }

        Span<long> pages = _pages.AsSpan(0, _count);

        // Neighbours travel in one request, whichever way the scan goes.
        pages.Sort();
        for (int first = 0, end; first < pages.Length; first = end)
        {
            for (end = first + 1; end < pages.Length && pages[end] == pages[end - 1] + 1; end++)
            {
            }

            if (allocator.IsUsable(pages[first]) && allocator.IsUsable(pages[end - 1]))
            {
                mapping.Prefetch(pages[first], end - first);
            }
        }

        _rest = _count;
        _window = Math.Min(_window * 2, _pages.Length);
    }
}
