using StorageCache.ReadAhead;

namespace StorageCache;

/// <content>Read streams.</content>
public sealed partial class Mapping
{
    /// <summary>The part of the cache that one stream may look ahead.</summary>
    private const int StreamShare = 8;

    /// <summary>Opens a stream of pages whose numbers are known in advance, to be read ahead of their use.</summary>
    /// <param name="pages">Page numbers in the order in which they are wanted, each 0 or more; taken from the sequence as the stream moves, some way ahead.</param>
    /// <param name="options">How to read; null for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    public PageReadStream OpenReadStream(IEnumerable<long> pages, PageReadStreamOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(pages);
        options ??= new PageReadStreamOptions();
        options.Validate();
        ThrowIfClosed();
        return new PageReadStream(this, pages, options, _core.FrameCapacity / StreamShare);
    }

    /// <summary>
    /// Has the absent ones of some pages read, in their order, neighbours in one request, as far as there are frames for them. Returns
    /// the place of the first that was not looked at.
    /// </summary>
    /// <param name="pages">The pages. Those that do not exist are left to whoever asks for them.</param>
    /// <param name="from">Place of the first.</param>
    /// <param name="started">How many are being read because of this call.</param>
    internal int PrefetchEach(PageQueue pages, int from, out int started)
    {
        started = 0;
        if (IsGone)
        {
            // It claims nothing any more, and is not to evict others' pages for that.
            return from;
        }

        using LoadRuns runs = new(this);
        int i = from;
        for (; i < pages.Count; i++)
        {
            long page = pages[i];
            if (page >= 0 && page < PageCount && !runs.TryAddEvicting(page, pages.Count - i - 1))
            {
                break;
            }
        }

        started = runs.Started;
        _streams.OnPrefetch(started);
        return i;
    }

    private void ThrowIfClosed()
    {
        if (_state is MappingState.Closing or MappingState.Closed)
        {
            throw Throw.MakeClosed(this);
        }
    }
}
