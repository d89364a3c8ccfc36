using StorageCache.IO;
using StorageCache.Platform;

namespace StorageCache.Writeback;

/// <summary>
/// The background flusher of a cache: a thread of its own that writes dirty pages in page order, mapping by mapping, when
/// there are too many, when memory is short, and every so often. Thread-safe.
/// </summary>
internal sealed class WriteBackEngine : IBackgroundWork
{
    /// <summary>The most bytes in one write.</summary>
    public const int RunBytes = 1 << 20;

    /// <summary>The most writes that are begun together.</summary>
    public const int BatchSize = SubmissionPlug.MostKept;

    /// <summary>
    /// How many bytes may be under way before no write begins any more: what keeps any device busy with the largest writes, and that a
    /// read that comes behind them waits for.
    /// </summary>
    public const long BytesLimit = 16 << 20;

    /// <summary>How many bytes are kept at most for pages that are encoded.</summary>
    public const int BytesKeptForEncoding = 4 << 20;

    private readonly CacheCore _core;
    private readonly IBackgroundThread _thread;
    private readonly TurnPermitWaiter _waiter;

    /// <summary>What the flusher does. It comes to its next element where a turn ends: true if it waits for permits, false if it is done.</summary>
    private readonly IEnumerator<bool> _work;
    private readonly Lock _lock = new();
    private readonly Stack<WriteRun> _runs = new();
    private readonly Stack<WriteRun> _singles = new();
    private readonly int _runPages;
    private long _pagesBackground;
    private int _inUse;
    private uint _turn;
    private bool _woken;
    private volatile bool _urgent;
    private volatile bool _stopping;

    /// <summary>Not 0 if the flusher has been woken and has not come to look since.</summary>
    private int _kicked;

    /// <param name="core">What is written back.</param>
    /// <param name="places">How many requests the cache's engine carries out at once.</param>
    public WriteBackEngine(CacheCore core, int places)
    {
        _core = core;

        // A quarter of the places, and one at least, is left to reads, which somebody waits for: they are not to stand in line behind writes (WB-12).
        Permits = new WritePermits(Math.Clamp(places - Math.Max(1, places / 4), 1, core.Options.WriteBackDepth), BytesLimit);
        _runPages = RunBytes / core.PageSize;
        Throttle = new DirtyThrottle(core);
        Bounce = new BounceFrames(core);
        SetLimits();
        _thread = core.Options.Threads.Create("StorageCache write-back", this);
        _waiter = new TurnPermitWaiter(_thread);
        _work = Work();
    }

    /// <summary>What holds writers back.</summary>
    public DirtyThrottle Throttle { get; }

    /// <summary>One permit per write that may be under way.</summary>
    public WritePermits Permits { get; }

    /// <summary>Memory that pages are encoded into.</summary>
    public BounceFrames Bounce { get; }

    /// <summary>Runs under way.</summary>
    public int InUse => Volatile.Read(ref _inUse);

    /// <summary>Whether more pages are dirty than the background ratio allows, those not counted whose write has begun.</summary>
    public bool IsAboveBackground => WaitingPages(_core.Counters.DirtyPages) > _pagesBackground;

    /// <summary>Takes the ratios of the current capacity.</summary>
    public void SetLimits()
    {
        int frames = _core.FrameCapacity;
        _pagesBackground = Math.Max(1, (long)(frames * _core.Options.DirtyBackgroundRatio));
        long limit = Math.Max(2, (long)(frames * _core.Options.DirtyLimitRatio));
        Throttle.SetLimits((_pagesBackground + limit) / 2, limit);
        Bounce.SetLimits();
    }

    /// <summary>Starts the background thread.</summary>
    public void Start() => _thread.Start();

    /// <summary>Ends the background thread and waits for it.</summary>
    public void Stop()
    {
        _stopping = true;
        _thread.End();
        Throttle.Dispose();
    }

    /// <summary>Notes that pages became dirty or clean.</summary>
    /// <param name="pages">How many; below zero for clean ones.</param>
    /// <param name="releases">Whether the caller calls <see cref="DirtyThrottle.ReleaseDue"/> once it holds no lock.</param>
    public void AddDirty(int pages, bool releases = false)
    {
        long dirty = _core.Counters.AddDirty(pages);
        Throttle.OnDirtyChanged(dirty, releases);
        long waiting = WaitingPages(dirty);
        if (pages > 0 && waiting > _pagesBackground && waiting - pages <= _pagesBackground)
        {
            Kick(urgent: false);
        }
    }

    /// <summary>Wakes the flusher.</summary>
    /// <param name="urgent">Whether memory is short, so that pages are written however few are dirty.</param>
    public void Kick(bool urgent)
    {
        if (urgent)
        {
            _urgent = true;
        }

        // An exchange in any case: what the flusher is woken for is there before it can take back that it was.
        if (!_stopping && Interlocked.Exchange(ref _kicked, 1) == 0)
        {
            _thread.Wake();
        }
    }

    /// <summary>Ends the charge of a write whose pages are clean or dirty again, and gives its permit back.</summary>
    /// <param name="bytes">What was charged for it.</param>
    public void EndWrite(long bytes)
    {
        Permits.Release(permits: 1, bytes);

        // Its pages were clean, and still taken off as under way, for a moment: dirt that came then seemed to be less than it is (WB-14).
        if (IsAboveBackground)
        {
            Kick(urgent: false);
        }
    }

    /// <summary>Takes a run that is not under way.</summary>
    public WriteRun Rent(bool single)
    {
        lock (_lock)
        {
            _inUse++;
            if ((single ? _singles : _runs).TryPop(out WriteRun? run))
            {
                return run;
            }
        }

        return new WriteRun(single ? 1 : _runPages);
    }

    /// <summary>Gives a run back.</summary>
    public void Return(WriteRun run)
    {
        lock (_lock)
        {
            if (!run.IsForsaken)
            {
                (run.MaximumPages == 1 ? _singles : _runs).Push(run);
            }

            _inUse--;
        }
    }

    /// <summary>
    /// How many dirty pages wait for their write to begin. Those under way count as dirty until they are written; a flusher that went by
    /// that number would follow a writer page by page for as long as enough are under way (WB-14).
    /// </summary>
    private long WaitingPages(long dirtyPages) => dirtyPages - (Permits.Bytes >> _core.PageShift);

    /// <summary>
    /// The interval, unless permits are waited for. Who kicked meanwhile has spent the wake-up on a turn that had no permits yet.
    /// </summary>
    TimeSpan IBackgroundWork.Rest =>
        _work.Current ? Timeout.InfiniteTimeSpan
        : Volatile.Read(ref _kicked) != 0 ? TimeSpan.Zero
        : _core.Options.WriteBackInterval;

    /// <inheritdoc/>
    bool IBackgroundWork.TakeTurn(bool woken)
    {
        if (!_stopping)
        {
            _woken = woken;
            _work.MoveNext();
        }

        return !_stopping;
    }

    private IEnumerator<bool> Work()
    {
        while (true)
        {
            Interlocked.Exchange(ref _kicked, 0);
            bool urgent = _urgent;
            _urgent = false;
            bool everything = urgent || !_woken;
            bool started = true;

            // What has become dirty meanwhile is taken up at once, while there is too much of it: nobody is sure to wake the flusher again,
            // and the device would run dry.
            while ((everything || IsAboveBackground) && started && !_stopping)
            {
                // Writes as many pages as are dirty now, or until dirt is down to half of what the background ratio allows; each time
                // beginning with another mapping, so that one that is dirtied all the time does not keep the others from their turn.
                started = false;
                Mapping[] mappings = _core.OpenMappings();
                _turn++;
                for (int i = 0; i < mappings.Length; i++)
                {
                    Mapping mapping = mappings[(int)((_turn + (uint)i) % (uint)mappings.Length)];

                    // No more than wait now: those that a writer adds meanwhile have their own turn, and gather until then.
                    long pages = everything ? mapping.DirtyPages : Math.Min(mapping.DirtyPages, WaitingPages(_core.Counters.DirtyPages));
                    long pagesLeft = pages;
                    while (pagesLeft > 0 && !_stopping && mapping.HasWorkForFlusher && (everything || WaitingPages(_core.Counters.DirtyPages) > _pagesBackground / 2))
                    {
                        int permits = Permits.TakeOrWait(_waiter, BatchSize);
                        while (permits == 0)
                        {
                            yield return true;
                            permits = _waiter.TakeGranted();
                        }

                        if (!mapping.StartWrites(permits, ref pagesLeft))
                        {
                            break;
                        }
                    }

                    mapping.AskLog(urgent: everything);
                    started |= pagesLeft < pages;
                }

                everything = false;
            }

            yield return false;
        }
    }
}
