using System.Threading.Tasks.Sources;
using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.Waiting;

namespace StorageCache.Mappings;

/// <summary>
/// One acquisition of one page that could not be served at once: a waiter that knows what it is for, goes on by itself
/// when it is resumed, and is the source of the <see cref="ValueTask{TResult}"/> that the caller awaits.
/// </summary>
internal sealed unsafe class PageWaiter : Waiter, IFrameWaiter, IThreadPoolWorkItem,
    IValueTaskSource<PageReadLease>, IValueTaskSource<PageWriteLease>, IValueTaskSource<PagePin>, IValueTaskSource<OptimisticRead>
{
    private readonly WaiterPool<PageWaiter> _pool;
    private readonly bool _inline;
    private ManualResetValueTaskSourceCore<bool> _source;

    /// <param name="pool">Where the waiter goes back to.</param>
    /// <param name="index">The waiter's place in its pool's table; not zero.</param>
    /// <param name="time">The clock.</param>
    /// <param name="pooled">The way to the thread pool.</param>
    /// <param name="inline">Whether awaiting code resumes on the thread that resumes the waiter.</param>
    public PageWaiter(WaiterPool<PageWaiter> pool, uint index, TimeProvider time, PooledResumption pooled, bool inline)
        : base(index, time, pooled)
    {
        _pool = pool;
        _inline = inline;
    }

    /// <summary>The mapping whose page is wanted.</summary>
    public Mapping Mapping { get; private set; } = null!;

    /// <summary>The page wanted.</summary>
    public long Page { get; private set; }

    /// <summary>Whether the page is wanted without its old content.</summary>
    public bool IsNew { get; private set; }

    /// <summary>
    /// Whether the cache itself asks (truncation, flush, close): pages beyond the end are served, protection is left as
    /// it is, and an absent page is not loaded.
    /// </summary>
    public bool IsInternal { get; private set; }

    /// <summary>Whether the writer has been paused once for too much dirt; it is not paused again.</summary>
    public bool WasThrottled { get; set; }

    /// <summary>Whether this acquisition found the page absent.</summary>
    public bool Missed { get; set; }

    /// <summary>Whether the page was made for this acquisition and holds nothing that anybody knows of.</summary>
    public bool IsFresh { get; set; }

    /// <summary>
    /// The load that has made the page for the waiter without reading it, once that has been granted: the waiter ends it when it
    /// goes on, whichever way. Null otherwise.
    /// </summary>
    public PageLoad? Made { get; set; }

    /// <summary>A frame handed over while the waiter stood in the frame queue; zero for none.</summary>
    public uint ReservedFrame { get; set; }

    /// <summary>Room for metadata handed over while the waiter stood in the frame queue, in bytes charged to the budget; zero for none.</summary>
    public long ReservedRoom { get; set; }

    /// <summary>Whether the waiter has the latch of a protected page in sight and needs a frame to break away onto.</summary>
    public bool IsForBreak { get; set; }

    /// <summary>The page's slot, once acquired.</summary>
    public Slot* Slot { get; set; }

    /// <inheritdoc/>
    public IFrameWaiter? NextFrameWaiter { get; set; }

    /// <inheritdoc/>
    public IFrameWaiter? PreviousFrameWaiter { get; set; }

    /// <inheritdoc/>
    public FrameNeed QueuedFor { get; set; }

    /// <inheritdoc/>
    public long FrameTurn { get; set; }

    /// <inheritdoc/>
    public bool CanUseFrame => Mapping.Core.Heads.HasRoom && (!NeedsRoom || Mapping.Core.PageTables.MayGrow || Mapping.Core.PageTables.QueuedLeaves > 0);

    /// <inheritdoc/>
    public long FrameDeadline { get; set; }

    /// <inheritdoc/>
    public long FrameTicket { get; set; }

    /// <inheritdoc/>
    public bool NeedsRoom => Mapping.Table.Find(Page) == null;

    /// <summary>Version of the value task that stands for this acquisition.</summary>
    public short Version => _source.Version;

    /// <summary>Prepares the waiter for an acquisition.</summary>
    public void Prepare(Mapping mapping, long page, WaitMode mode, bool isNew, bool isInternal, bool isBlocking, TimeSpan timeout, CancellationToken token)
    {
        Mapping = mapping;
        Page = page;
        Mode = mode;
        IsNew = isNew;
        IsInternal = isInternal;
        IsBlocking = isBlocking;

        // The cache's own work goes on on its own thread; to get there it needs no thread of the pool (T-1).
        IsInline = _inline || isInternal;
        WasThrottled = false;
        Missed = false;
        FrameTurn = 0;
        IsFresh = false;
        Made = null;
        IsForBreak = false;
        Slot = null;
        Prepare(timeout, token);
    }

    /// <summary>Ends the acquisition and gives the waiter back to its pool.</summary>
    public void Return()
    {
        Finish();
        Slot = null;

        // Now, and not when it is used again: a value task that is awaited twice must not give the waiter back twice.
        _source.Reset();
        _pool.Return(this);
    }

    /// <summary>Completes the value task with the page acquired.</summary>
    public void SetAcquired() => _source.SetResult(true);

    /// <summary>Completes the value task with an error.</summary>
    public void SetError(Exception error) => _source.SetException(error);

    /// <inheritdoc/>
    public override void Run() => Mapping.Continue(this);

    /// <inheritdoc/>
    public override void RunElsewhere()
    {
        if (IsInternal)
        {
            // Where it would end up in any case, and without a thread of the pool on the way (T-1).
            Mapping.Core.OwnThread.Enqueue(this);
        }
        else
        {
            base.RunElsewhere();
        }
    }

    /// <inheritdoc/>
    void IThreadPoolWorkItem.Execute() => Run();

    /// <inheritdoc/>
    public long OnQueueing() => Arm();

    /// <inheritdoc/>
    public bool OnFrame(uint frame, long ticket)
    {
        if (!TryResume(ticket, WaitOutcome.Retry))
        {
            return false;
        }

        // A call that comes late may find the waiter with a frame from elsewhere; that one is not to be forgotten.
        bool isWanted = ReservedFrame == 0;
        if (isWanted)
        {
            ReservedFrame = frame;
        }

        Dispatch();
        return isWanted;
    }

    /// <inheritdoc/>
    public bool OnRoom(long bytes, long ticket)
    {
        if (!TryResume(ticket, WaitOutcome.Retry))
        {
            return false;
        }

        bool isWanted = ReservedRoom == 0;
        if (isWanted)
        {
            ReservedRoom = bytes;
        }

        Dispatch();
        return isWanted;
    }

    /// <inheritdoc/>
    public void OnFrameTimeout(long ticket)
    {
        // It may have left the queue meanwhile and wait for something else.
        if (TryResume(ticket, WaitOutcome.Failed))
        {
            Dispatch();
        }
    }

    /// <inheritdoc/>
    public ValueTaskSourceStatus GetStatus(short token) => _source.GetStatus(token);

    /// <inheritdoc/>
    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);

    /// <inheritdoc/>
    PageReadLease IValueTaskSource<PageReadLease>.GetResult(short token)
    {
        Slot* slot = TakeResult(token, out Mapping mapping);
        return new PageReadLease(mapping, slot);
    }

    /// <inheritdoc/>
    PageWriteLease IValueTaskSource<PageWriteLease>.GetResult(short token)
    {
        Slot* slot = TakeResult(token, out Mapping mapping);
        return new PageWriteLease(mapping, slot);
    }

    /// <inheritdoc/>
    PagePin IValueTaskSource<PagePin>.GetResult(short token)
    {
        Slot* slot = TakeResult(token, out Mapping mapping);
        return new PagePin(mapping, slot);
    }

    /// <inheritdoc/>
    OptimisticRead IValueTaskSource<OptimisticRead>.GetResult(short token)
    {
        Slot* slot = TakeResult(token, out Mapping mapping);
        return mapping.ToOptimistic(slot);
    }

    private Slot* TakeResult(short token, out Mapping mapping)
    {
        // Throws for a stale token before anything is given back.
        ValueTaskSourceStatus status = _source.GetStatus(token);
        if (status == ValueTaskSourceStatus.Pending)
        {
            throw new InvalidOperationException("The operation has not completed; await it (once).");
        }

        try
        {
            _source.GetResult(token);
            mapping = Mapping;
            return Slot;
        }
        finally
        {
            Return();
        }
    }
}
