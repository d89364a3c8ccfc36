using StorageCache.IO;
using StorageCache.ReadAhead;
using StorageCache.Waiting;

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

    /// <summary>Has the absent ones of some pages read, in their order, neighbours in one request. Returns how many of them were.</summary>
    /// <param name="pages">The pages. Those that do not exist are left to whoever asks for them.</param>
    /// <param name="from">Place of the first.</param>
    /// <param name="isCutShort">Whether there were not enough frames.</param>
    internal int PrefetchEach(PageQueue pages, int from, out bool isCutShort)
    {
        isCutShort = false;
        using InlineResumption.Bar bar = InlineResumption.Forbid();
        using SubmissionPlug plug = SubmissionPlug.Begin();
        LoadRuns runs = new(this);
        for (int i = from; i < pages.Count; i++)
        {
            long page = pages[i];
            if (page >= 0 && page < PageCount && !TryAddAhead(ref runs, page, pages.Count - i))
            {
                isCutShort = true;
                break;
            }
        }

        runs.Submit();
        _core.Counters.Prefetched(runs.Started);
        _streams.OnPrefetch(runs.Started);
        return runs.Started;
    }

    private void ThrowIfClosed()
    {
        if (_state is MappingState.Closing or MappingState.Closed)
        {
            throw Throw.MakeClosed(this);
        }
    }
}
