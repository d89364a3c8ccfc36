using System.Diagnostics;
using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.IO;

namespace StorageCache.Mappings;

/// <summary>
/// One read under way, of one page or a run of neighbours, from the claim of the slots to their being up to date. Lives
/// on by itself: whoever asked for the page may leave.
/// </summary>
internal sealed unsafe class PageLoad : BlockRequest, IFrameWaiter, IThreadPoolWorkItem
{
    private readonly nint[] _slots;
    private readonly uint[] _frames;

    /// <param name="capacity">The most pages in one read.</param>
    public PageLoad(int capacity)
        : base(capacity)
    {
        _slots = new nint[capacity];
        _frames = new uint[capacity];
    }

    /// <summary>The most pages in one read.</summary>
    public int MaximumPages => _slots.Length;

    /// <summary>The mapping read from.</summary>
    public Mapping Mapping { get; private set; } = null!;

    /// <summary>The first page.</summary>
    public long FirstPage { get; private set; }

    /// <summary>How many pages.</summary>
    public int Count { get; private set; }

    /// <summary>Whether the page is wanted without its content: zeros, and no read.</summary>
    public bool IsNew { get; private set; }

    /// <summary>The waiter that gets the error if there is one; null for a prefetch.</summary>
    public PageWaiter? Issuer { get; private set; }

    /// <summary>The issuer's arming at the time; it may have left since and wait for something else.</summary>
    public long IssuerTicket { get; private set; }

    /// <summary>How long the device was known to be when the read began, in bytes; 0 if nobody has asked.</summary>
    public long DeviceLength { get; set; }

    /// <inheritdoc/>
    public IFrameWaiter? NextFrameWaiter { get; set; }

    /// <inheritdoc/>
    public IFrameWaiter? PreviousFrameWaiter { get; set; }

    /// <inheritdoc/>
    public FrameNeed QueuedFor { get; set; }

    /// <inheritdoc/>
    public long FrameTurn { get; set; }

    /// <inheritdoc/>
    public bool CanUseFrame => true;

    /// <inheritdoc/>
    public long FrameDeadline { get; set; }

    /// <inheritdoc/>
    public long FrameTicket { get; set; }

    /// <inheritdoc/>
    public bool NeedsRoom => false;

    /// <summary>Prepares a load of one page for the waiter that claimed it, whose turn for a frame it has.</summary>
    public void Prepare(Mapping mapping, Slot* slot, long page, PageWaiter? issuer, uint frame)
    {
        Begin(mapping, page);
        Add(slot, frame);
        SetIssuer(issuer);
        FrameTurn = issuer?.FrameTurn ?? 0;
        FrameDeadline = issuer?.FrameDeadline ?? 0;
    }

    /// <summary>Makes another waiter the one that the load is for.</summary>
    public void SetIssuer(PageWaiter? issuer)
    {
        Issuer = issuer;
        IssuerTicket = issuer?.Ticket ?? 0;
        IsNew = issuer?.IsNew ?? false;
    }

    /// <summary>Makes the load, of one page that another has read, one for whom that one was.</summary>
    public void TakeOver(PageLoad other)
    {
        Issuer = other.Issuer;
        IssuerTicket = other.IssuerTicket;
    }

    /// <summary>Has the page read after all: the one who wanted it without its content has left.</summary>
    public void WantContent() => IsNew = false;

    /// <summary>Leaves the load without pages.</summary>
    public void Clear() => Count = 0;

    /// <summary>Begins a run of pages.</summary>
    public void Begin(Mapping mapping, long firstPage)
    {
        Mapping = mapping;
        FirstPage = firstPage;
        FrameTurn = 0;
        DeviceLength = 0;
        Count = 0;
        Issuer = null;
        IsNew = false;
    }

    /// <summary>Adds the next page to a run.</summary>
    public void Add(Slot* slot, uint frame)
    {
        _slots[Count] = (nint)slot;
        _frames[Count] = frame;
        Count++;
    }

    /// <summary>Slot of a page.</summary>
    public Slot* SlotAt(int index) => (Slot*)_slots[index];

    /// <summary>Frame of a page; zero while there is none.</summary>
    public uint FrameAt(int index) => _frames[index];

    /// <summary>Gives the (single) page its frame.</summary>
    public void SetFrame(uint frame) => _frames[0] = frame;

    /// <summary>Carries the load out; every page has its frame.</summary>
    /// <param name="isBlocking">Whether on the calling thread.</param>
    public void Start(bool isBlocking)
    {
        if (IsNew)
        {
            Mapping.CompleteNew(this, isBlocking);
            return;
        }

        FramePool frames = Mapping.Core.Frames;
        Reset(BlockOperation.Read, FirstPage * frames.PageSize);
        for (int i = 0; i < Count; i++)
        {
            Debug.Assert(_frames[i] != 0, "a read has a frame for every page");
            Append(new BlockSegment(frames.Address(_frames[i]), frames.PageSize));
        }

        if (isBlocking)
        {
            DeviceBoundary.Execute(Mapping.Device, this);
        }
        else
        {
            DeviceBoundary.Submit(Mapping.Device, this);
        }
    }

    /// <summary>
    /// Starts again, elsewhere: a read that fails at once would otherwise start the next one deeper and deeper in the stack of
    /// whoever submitted the first.
    /// </summary>
    public void StartElsewhere() => Mapping.Core.OwnThread.Enqueue(this);

    /// <inheritdoc/>
    void IThreadPoolWorkItem.Execute() => Start(isBlocking: false);

    /// <inheritdoc/>
    public long OnQueueing()
    {
        // Nobody but the queue resumes a load: it is in one place until the queue has told it so.
        return 0;
    }

    /// <inheritdoc/>
    public bool OnFrame(uint frame, long ticket)
    {
        SetFrame(frame);
        Start(isBlocking: false);
        return true;
    }

    /// <inheritdoc/>
    public bool OnRoom(long bytes, long ticket) => false;

    /// <inheritdoc/>
    public void OnFrameTimeout(long ticket) => Mapping.AbandonLoad(this);

    /// <inheritdoc/>
    protected override void OnCompleted(int bytesTransferred, IOException? error) =>
        Mapping.CompleteLoad(this, bytesTransferred, error);
}
