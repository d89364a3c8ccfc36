using System.Diagnostics;
using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.IO;

namespace StorageCache.Writeback;

/// <summary>One write under way: a run of neighbouring pages, each protected until the write ends.</summary>
internal sealed unsafe partial class WriteRun : BlockRequest, IThreadPoolWorkItem
{
    private readonly nint[] _slots;
    private readonly uint[] _frames;

    /// <param name="capacity">The most pages in one write.</param>
    public WriteRun(int capacity)
        : base(capacity)
    {
        _slots = new nint[capacity];
        _frames = new uint[capacity];
    }

    /// <summary>The mapping written to.</summary>
    public Mapping Mapping { get; private set; } = null!;

    /// <summary>The first page.</summary>
    public long FirstPage { get; private set; }

    /// <summary>How many pages.</summary>
    public int Count { get; private set; }

    /// <summary>Where the file ended when the last page was added, in bytes.</summary>
    public long EndOfFile { get; private set; }

    /// <summary>Whether no more pages fit.</summary>
    public bool IsFull => Count == _slots.Length;

    /// <summary>The most pages in one write.</summary>
    public int MaximumPages => _slots.Length;

    /// <summary>Place in the order of the mapping's writes; see <see cref="WriteTracker"/>.</summary>
    public long Sequence { get; set; }

    /// <summary>Next write under way, in order. Guarded by the tracker's lock.</summary>
    public WriteRun? NextInFlight { get; set; }

    /// <summary>Previous write under way. Guarded by the tracker's lock.</summary>
    public WriteRun? PreviousInFlight { get; set; }

    /// <summary>Begins a run.</summary>
    public void Begin(Mapping mapping)
    {
        Mapping = mapping;
        Count = 0;
        ForgetLsns();
        _encoded = 0;
    }

    /// <summary>Adds the next page; its frame is protected for this write.</summary>
    /// <param name="slot">Its slot.</param>
    /// <param name="page">Its number.</param>
    /// <param name="frame">Its frame.</param>
    /// <param name="endOfFile">The file's length in bytes when the page was found to lie within it.</param>
    public void Add(Slot* slot, long page, uint frame, long endOfFile)
    {
        Debug.Assert(Count == 0 || page == FirstPage + Count, "the pages of a run are neighbours");
        if (Count == 0)
        {
            FirstPage = page;
        }

        _slots[Count] = (nint)slot;
        _frames[Count] = frame;
        EndOfFile = endOfFile;
        Count++;
    }

    /// <summary>Slot of a page; it stays the page's for as long as the page is under write-back.</summary>
    public Slot* SlotAt(int index) => (Slot*)_slots[index];

    /// <summary>Frame of a page as it was when the write began.</summary>
    public uint FrameAt(int index) => _frames[index];

    /// <summary>
    /// Submits the write. The last page is cut where the file ended when it was added: a truncation waits for the write
    /// before it cuts the file, and if it is cancelled instead, nothing may be missing.
    /// </summary>
    public void Submit()
    {
        Debug.Assert(HighestLsn <= Mapping.LogDurable, "no page is written before the log is durable up to its last change (WB-16)");
        if (Mapping.Codec is not null)
        {
            SubmitEncoded();
            return;
        }

        FramePool frames = Mapping.Core.Frames;
        Reset(BlockOperation.Write, FirstPage * frames.PageSize);
        for (int i = 0; i < Count; i++)
        {
            int bytes = (int)Math.Clamp(EndOfFile - ((FirstPage + i) * frames.PageSize), 0, frames.PageSize);
            Append(new BlockSegment(frames.Address(_frames[i]), bytes));
        }

        DeviceBoundary.Submit(Mapping.Device, this);
    }

    /// <summary>Submits the write from another thread: the caller completes a write, and may be the device inside its own submission.</summary>
    public void SubmitElsewhere() => Mapping.Core.OwnThread.Enqueue(this);

    /// <inheritdoc/>
    void IThreadPoolWorkItem.Execute() => Submit();

    /// <inheritdoc/>
    protected override void OnCompleted(int bytesTransferred, IOException? error)
    {
        if (BounceCount > 0)
        {
            CompleteEncoded(error);
        }
        else
        {
            Mapping.CompleteWrite(this, bytesTransferred, error);
        }
    }
}
