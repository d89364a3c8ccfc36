using StorageCache.KeyValueStore.Format;

namespace StorageCache.KeyValueStore.Space;

/// <summary>Starts reading the pages of a large value before they are needed. Thread-safe.</summary>
internal sealed class OverflowReadAhead(Mapping mapping, PageLimits limits)
{
    private const int LargestWindow = 256 * 1024;

    /// <summary>Pages of one request; kept well below what the cache holds.</summary>
    private readonly int _window = (int)Math.Clamp(mapping.Cache.MemoryLimit / limits.PageSize / 32, 1, LargestWindow / limits.PageSize);

    /// <summary>To be called before each page of the value is read.</summary>
    /// <param name="value">The value.</param>
    /// <param name="index">Index of that page in the value.</param>
    /// <param name="page">That page.</param>
    /// <remarks>Works while the chain is one run of neighbours, which it is unless the value was put on reused pages.</remarks>
    public void Advance(in OverflowReference value, int index, long page)
    {
        if (index % _window != 0)
        {
            return;
        }

        long pages = limits.OverflowPages(value.Length);
        if (pages == 1 || !value.IsRun || page != value.FirstPage + index || value.FirstPage + pages > mapping.PageCount)
        {
            return;
        }

        // The first call covers two windows, later ones the window after the next, so that reading never catches up with an empty pipe.
        long from = index == 0 ? 0 : index + _window;
        long until = Math.Min(index + (2L * _window), pages);
        if (until > from)
        {
            mapping.Prefetch(value.FirstPage + from, until - from);
        }
    }
}
