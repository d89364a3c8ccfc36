using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.Platform;

namespace StorageCache.Sharing;

/// <summary>
/// Looks for pages with equal bytes among those that came into memory before: a hand that goes round all frames on a thread of its own,
/// at a pace. Pages of domains that share content are hashed once they have stayed the same from one pass to the next. Started with
/// the first mapping of such a domain.
/// </summary>
/// <remarks>Descends from the kernel's samepage merging (Arcangeli, Eidus, Wright 2009); here a page is write-protected by a bit, not by a page table.</remarks>
internal sealed unsafe class ContentScanner : IBackgroundWork
{
    private const int FramesPerSlice = 256;
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_rest = TimeSpan.FromMilliseconds(100);

    private readonly CacheCore _core;
    private readonly ScanPace _pace;
    private readonly Lock _starting = new();
    private FrameNotes? _notes;
    private IBackgroundThread? _thread;
    private uint _hand;
    private long _pages;
    private long _ticks;
    private bool _foundWork = true;
    private volatile bool _stopping;

    public ContentScanner(CacheCore core)
    {
        _core = core;
        _pace = new ScanPace(core.Options.ScanPagesPerSecond, core.Options.ScanCpuShare, core.Options.Threads.Clock);
    }

    /// <summary>Pages looked at.</summary>
    public long PagesScanned => Volatile.Read(ref _pages);

    /// <summary>Processor time of the thread.</summary>
    public TimeSpan Time => TimeSpan.FromTicks(Volatile.Read(ref _ticks));

    /// <summary>Starts the thread, if it does not run and is wanted.</summary>
    /// <exception cref="InsufficientMemoryException">There is no address space for what the scan remembers.</exception>
    public void Start()
    {
        lock (_starting)
        {
            if (_thread is null && !_stopping && _core.Options.ScanPagesPerSecond > 0)
            {
                _notes = new FrameNotes(_core.Frames);
                IBackgroundThread thread = _core.Options.Threads.Create("StorageCache scan", this, ThreadPriority.BelowNormal);
                thread.Start();
                _thread = thread;
            }
        }
    }

    /// <summary>Ends the thread and waits for it.</summary>
    public void Stop()
    {
        _stopping = true;
        IBackgroundThread? thread;
        lock (_starting)
        {
            thread = _thread;
        }

        thread?.End();
    }

    /// <inheritdoc/>
    TimeSpan IBackgroundWork.Rest => _foundWork ? s_tick : s_rest;

    /// <inheritdoc/>
    bool IBackgroundWork.TakeTurn(bool woken)
    {
        if (!_stopping)
        {
            _pace.Refill();
            _foundWork = Scan();
        }

        return !_stopping;
    }

    /// <summary>Goes on round the frames until the pace is reached, or all have been looked at. Returns whether there was anything to do.</summary>
    private bool Scan()
    {
        bool foundWork = false;
        long left = _core.Frames.HighWater;
        while (_pace.MayGoOn && left > 0 && !_stopping)
        {
            TimeSpan began = _core.Options.Threads.ProcessorTime;
            int pages = 0;
            for (int i = 0; i < FramesPerSlice && left > 0; i++, left--)
            {
                _hand = _hand >= _core.Frames.HighWater ? 1 : _hand + 1;
                pages += TryScan(_hand) ? 1 : 0;
            }

            TimeSpan time = _core.Options.Threads.ProcessorTime - began;
            _pace.Spend(pages, time);
            Interlocked.Add(ref _pages, pages);
            Interlocked.Add(ref _ticks, time.Ticks);
            foundWork |= pages > 0;
        }

        return foundWork;
    }

    /// <summary>Looks at the page in a frame. Returns whether it is one that the scan is for.</summary>
    private bool TryScan(uint frame)
    {
        // None of this is locked: it may describe another page by the time it is read. The list lock settles it.
        FrameDescriptor* descriptor = _core.Frames.Descriptor(frame);
        uint owner = Volatile.Read(ref descriptor->Owner);
        if (descriptor->State != FrameState.InUse
            || owner == 0
            || Volatile.Read(ref descriptor->OwnerCount) != 1
            || (Volatile.Read(ref descriptor->Marks) & FrameMarks.ByContent) != 0)
        {
            return false;
        }

        BufferHead* head = _core.Heads[owner];
        Slot* slot = head->Slot;
        if (slot == null || _core.MappingAt(head->Mapping) is not { Sharing: { SharesContent: true } sharing } mapping)
        {
            return false;
        }

        long page = head->Page;
        FrameNote* note = _notes!.Of(frame);
        if (note == null)
        {
            return false;
        }

        if (note->IsQuiet(owner, (uint)(StateWord.Load(slot) >> 32)))
        {
            mapping.ShareByContent(sharing, page, frame, owner);
        }

        return true;
    }
}
