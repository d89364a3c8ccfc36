using System.Diagnostics;
using System.Runtime.CompilerServices;
using StorageCache.Platform;

namespace StorageCache.Frames;

/// <summary>
/// All frames of a cache: one reserved region of page-aligned memory, one array of descriptors, a bit for each that is free.
/// A frame gets memory when it is first used and gives it back when the budget has to shrink. Thread-safe.
/// </summary>
internal sealed unsafe class FramePool
{
    private const long CommitStep = 2L << 20;

    /// <summary>How many free frames are looked at for one whose memory can be taken away without withdrawing a registered piece.</summary>
    private const int LooksForOther = 64;

    private readonly MemoryBudget _budget;
    private readonly MemoryRegion _frames;
    private readonly MemoryRegion _descriptors;
    private readonly Lock _growth = new();
    private readonly int _bytesPerFrame;
    private readonly FreeFrames _free;
    private NativeStack _retired;
    private uint _highWater;
    private long _committedFrames;
    private long _committedDescriptors;
    private bool _huge;
    private int _active;
    private int _capacity;
    private FrameRegistration? _registration;
    private FrameIndex[] _indexes = [];

    /// <param name="budget">What frames are charged to.</param>
    /// <param name="pageSize">Bytes per frame.</param>
    /// <param name="maximumFrames">The most frames there can ever be.</param>
    /// <param name="headBytes">Bytes of buffer head charged with each frame.</param>
    /// <param name="hugePages">Whether to ask for 2 MiB memory pages.</param>
    /// <param name="isGuarded">Whether bytes are read through a view that cannot be written (P-20).</param>
    public FramePool(MemoryBudget budget, int pageSize, uint maximumFrames, int headBytes, bool hugePages, bool isGuarded = false)
    {
        _budget = budget;
        PageSize = pageSize;
        MaximumFrames = maximumFrames;
        _bytesPerFrame = pageSize + FrameDescriptor.SizeInBytes + headBytes;
        _frames = isGuarded
            ? MemoryRegion.ReserveGuarded((maximumFrames + 1L) * pageSize, hugePages)
            : MemoryRegion.Reserve((maximumFrames + 1L) * pageSize, hugePages);
        _descriptors = MemoryRegion.Reserve((maximumFrames + 1L) * FrameDescriptor.SizeInBytes, hugePages: false);
        _free = new FreeFrames(maximumFrames);
        _huge = hugePages;
        Debug.Assert(_frames.IsGuarded == isGuarded, "there is a view for reading alone where one is asked for (P-20)");
        Base = _frames.Base;
        ReadBase = _frames.ReadBase;
        Descriptors = (FrameDescriptor*)_descriptors.Base;

        // Frame 0 stands for "none". It is readable, as every address that a racing reader may compute must be (B-3).
        EnsureCommitted(0);
    }

    /// <summary>Bytes per frame.</summary>
    public int PageSize { get; }

    /// <summary>The most frames there can ever be; bounds the address space.</summary>
    public uint MaximumFrames { get; }

    /// <summary>Address of frame 0; frame i lies i pages behind it.</summary>
    public byte* Base { get; }

    /// <summary>Address of frame 0 in the view that callers read from: it cannot be written if the pool is guarded (P-20), and is <see cref="Base"/> if not.</summary>
    public byte* ReadBase { get; }

    /// <summary>Descriptor of frame 0, the first of an array.</summary>
    public FrameDescriptor* Descriptors { get; }

    /// <summary>Bytes that one more frame charges, its descriptor and buffer head included.</summary>
    public int BytesPerFrame => _bytesPerFrame;

    /// <summary>How many frames may have memory at once; moves with the memory limit.</summary>
    public int Capacity
    {
        get => Volatile.Read(ref _capacity);
        set => Volatile.Write(ref _capacity, value);
    }

    /// <summary>Frames that have memory.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>Frames to give back until capacity and budget are kept.</summary>
    public int Excess => Math.Max(Active - Capacity, (int)((_budget.Excess + _bytesPerFrame - 1) / _bytesPerFrame));

    /// <summary>Frames kept back for writers that break away from a protected frame.</summary>
    public int Reserve { get; set; }

    /// <summary>Frames that were ever used have indices 1 to this.</summary>
    public uint HighWater => Volatile.Read(ref _highWater);

    /// <summary>Frames that could be had now without evicting anything.</summary>
    public long Available => _free.Count + Math.Clamp(_budget.Available / _bytesPerFrame, 0, Math.Max(0, Capacity - Active));

    /// <summary>Frames that have memory and hold nothing.</summary>
    public int FreeCount => _free.Count;

    /// <summary>Bytes of address space from frame 0 to the end of the last frame.</summary>
    public long AddressBytes => (MaximumFrames + 1L) * PageSize;

    /// <summary>Address of a frame's bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Address(uint frame) => Base + ((long)frame * PageSize);

    /// <summary>Descriptor of a frame.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public FrameDescriptor* Descriptor(uint frame) => Descriptors + frame;

    /// <summary>Has somebody hear of frames that are given memory, and of those that are about to lose it. Before the first frame is used.</summary>
    public void ReportTo(FrameRegistration registration) => _registration = registration;

    /// <summary>Says by what frames can be found. Before the first frame is used.</summary>
    public void FindBy(FrameIndex[] indexes) => _indexes = indexes;

    /// <summary>Sees that nobody finds a frame any more. Who has found it before has a reference to it.</summary>
    public void LeaveIndexes(uint frame)
    {
        if ((Volatile.Read(ref Descriptor(frame)->Marks) & FrameMarks.Indexed) != 0)
        {
            foreach (FrameIndex index in _indexes)
            {
                index.Remove(frame);
            }
        }
    }

    /// <summary>
    /// Takes a free frame with one reference, or returns zero. Its bytes are whatever they were.
    /// </summary>
    /// <param name="forBreak">Whether the frames kept back for breaks may be taken.</param>
    public uint TryAllocate(bool forBreak)
    {
        if (!forBreak && Available <= Reserve)
        {
            return 0;
        }

        uint frame = _free.Take();
        if (frame == 0)
        {
            frame = TryActivate();
        }

        if (frame != 0)
        {
            FrameDescriptor* descriptor = Descriptor(frame);
            Debug.Assert(descriptor->References == 0 && descriptor->Owner == 0 && descriptor->Holds == 0 && (descriptor->Marks & FrameMarks.Indexed) == 0, "a free frame has no owner, and nobody finds it (F-2)");
            Volatile.Write(ref descriptor->References, 1);
            descriptor->State = FrameState.InUse;
        }

        return frame;
    }

    /// <summary>
    /// Whether a frame has so many references, and is in no index, both at one moment. If they are the caller's, nobody else has the frame
    /// then or can come to it. Asked for one after the other, the two may each be so at another moment: a frame may be put into an index,
    /// by one who leaves it afterwards, in between.
    /// </summary>
    public static bool IsAloneWith(FrameDescriptor* frame, int references)
    {
        // The two lie side by side in the descriptor.
        ulong both = Volatile.Read(ref *(ulong*)&frame->References);
        return (int)both == references && ((uint)(both >> 32) & FrameMarks.Indexed) == 0;
    }

    /// <summary>Adds a reference to a frame that has one.</summary>
    public void AddReference(uint frame)
    {
        int references = Interlocked.Increment(ref Descriptor(frame)->References);
        Debug.Assert(references > 1, "a reference is added only to a frame that is held (F-3)");
    }

    /// <summary>Adds a reference to a frame unless it has none, and is about to be free.</summary>
    public bool TryAddReference(uint frame)
    {
        FrameDescriptor* descriptor = Descriptor(frame);
        int references = Volatile.Read(ref descriptor->References);
        while (references > 0)
        {
            int seen = Interlocked.CompareExchange(ref descriptor->References, references + 1, references);
            if (seen == references)
            {
                return true;
            }

            references = seen;
        }

        return false;
    }

    /// <summary>Drops a reference; the last one frees the frame. Returns whether it was the last.</summary>
    public bool DropReference(uint frame)
    {
        FrameDescriptor* descriptor = Descriptor(frame);
        int references = Interlocked.Decrement(ref descriptor->References);
        Debug.Assert(references >= 0, "references are balanced (F-3)");
        if (references != 0)
        {
            return false;
        }

        Free(frame, descriptor);
        return true;
    }

    /// <summary>Gives the memory of up to <paramref name="most"/> free frames back. Returns how many.</summary>
    public int RetireFree(int most)
    {
        int retired = 0;
        while (retired < most)
        {
            uint frame = _free.Take();
            if (frame == 0)
            {
                break;
            }

            Retire(frame, Descriptor(frame));
            retired++;
        }

        return retired;
    }

    /// <summary>Gives the memory of a frame back that the caller alone has; it drops its reference with it.</summary>
    public void Retire(uint frame)
    {
        FrameDescriptor* descriptor = Descriptor(frame);
        Debug.Assert(descriptor->References == 1 && descriptor->Owner == 0, "a frame is retired by the only one who has it (F-3)");
        descriptor->References = 0;
        Retire(frame, descriptor);
    }

    /// <summary>
    /// Charges the budget for metadata, and gives the memory of free frames back for it, but for those kept back for breaks.
    /// </summary>
    public bool TryTakeRoom(long bytes)
    {
        // What is left of the limit, and not for frames, is there for this.
        long mayActivate = Math.Clamp(_budget.Available / _bytesPerFrame, 0, Math.Max(0, Capacity - Active));
        long besideFrames = _budget.Available - (mayActivate * _bytesPerFrame);
        if (bytes > besideFrames + (Math.Max(0, Available - Reserve) * _bytesPerFrame))
        {
            return false;
        }

        while (!_budget.TryCharge(bytes))
        {
            if (RetireFree(1) == 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Gives back what <see cref="TryTakeRoom"/> charged.</summary>
    public void ReturnRoom(long bytes) => _budget.Release(bytes);

    /// <summary>
    /// Gives all physical memory back, which is not registered any more (I/O-22); the addresses stay readable as zeros until nobody can
    /// look any more.
    /// </summary>
    public void Discard()
    {
        Debug.Assert(_registration is null or { Bytes: 0 }, "what is registered keeps its memory (I/O-22)");
        _frames.DiscardAll();
        _descriptors.DiscardAll();
    }

    private void Free(uint frame, FrameDescriptor* descriptor)
    {
        // Nobody who finds it meanwhile gets a reference: there is none to add to.
        LeaveIndexes(frame);
        Debug.Assert(descriptor->Owner == 0 && descriptor->OwnerCount == 0 && descriptor->Holds == 0, "a frame is freed without owners and holds (F-2)");
        if (Excess > 0)
        {
            Retire(frame, descriptor);
            return;
        }

        PushFree(frame);
    }

    private void PushFree(uint frame)
    {
        Descriptor(frame)->State = FrameState.Free;
        _free.Add(frame);
    }

    private void Retire(uint frame, FrameDescriptor* descriptor)
    {
        bool mayDiscard = true;
        if (_registration is { } registration)
        {
            if (registration.IsHeld(frame))
            {
                frame = ExchangeForOther(frame, registration);
                descriptor = Descriptor(frame);
            }

            // A frame that has to keep its memory counts as retired all the same: it is as with memory that the process has locked.
            mayDiscard = registration.TryRetire(frame);
        }

        if (_huge)
        {
            lock (_growth)
            {
                // The kernel would fill the holes of a huge page again behind our back.
                if (_huge)
                {
                    _frames.AdviseHuge(false);
                    _huge = false;
                }
            }
        }

        descriptor->State = FrameState.Retired;
        if (mayDiscard)
        {
            _frames.Discard((long)frame * PageSize, PageSize);
        }

        _retired.Push(frame, (byte*)&Descriptors->NextRetired, FrameDescriptor.SizeInBytes);
        Interlocked.Decrement(ref _active);
        _budget.Release(_bytesPerFrame);
    }

    /// <summary>
    /// Frees a frame and takes another free one that lies in no registered piece, or returns the same if there is none at hand. So the frames
    /// that lose their memory gather in few pieces, and the others stay registered.
    /// </summary>
    private uint ExchangeForOther(uint frame, FrameRegistration registration)
    {
        uint* seen = stackalloc uint[LooksForOther];
        int count = 0;
        uint other = 0;
        while (other == 0 && count < LooksForOther)
        {
            uint next = _free.Take();
            if (next == 0)
            {
                break;
            }

            if (registration.IsHeld(next))
            {
                seen[count++] = next;
            }
            else
            {
                other = next;
            }
        }

        while (count > 0)
        {
            PushFree(seen[--count]);
        }

        if (other == 0)
        {
            return frame;
        }

        PushFree(frame);
        return other;
    }

    /// <summary>Gives a frame memory, if the budget and the kernel have some; zero if not.</summary>
    private uint TryActivate()
    {
        uint frame = TryChargeFrame();
        if (frame != 0)
        {
            _registration?.Activated(frame);
        }

        return frame;
    }

    private uint TryChargeFrame()
    {
        if (Interlocked.Increment(ref _active) > Capacity || !_budget.TryCharge(_bytesPerFrame))
        {
            Interlocked.Decrement(ref _active);
            return 0;
        }

        uint frame = _retired.Pop((byte*)&Descriptors->NextRetired, FrameDescriptor.SizeInBytes);
        if (frame == 0)
        {
            frame = TryGrow();
        }

        if (frame != 0 && !TryProvide(frame))
        {
            _retired.Push(frame, (byte*)&Descriptors->NextRetired, FrameDescriptor.SizeInBytes);
            frame = 0;
        }

        if (frame == 0)
        {
            Interlocked.Decrement(ref _active);
            _budget.Release(_bytesPerFrame);
        }

        return frame;
    }

    /// <summary>A frame that was never used; zero if there is none.</summary>
    private uint TryGrow()
    {
        lock (_growth)
        {
            if (_highWater < MaximumFrames)
            {
                try
                {
                    uint frame = _highWater + 1;
                    EnsureCommitted(frame);
                    Volatile.Write(ref _highWater, frame);
                    return frame;
                }
                catch (InsufficientMemoryException)
                {
                    // The kernel promises no more (strict overcommit). To throw would leave a claimed page loading for ever;
                    // the cache goes on with the frames that it has.
                }
            }
        }

        return 0;
    }

    /// <summary>Sees to the memory of a frame, where a touch could find none (F-9).</summary>
    private bool TryProvide(uint frame)
    {
        try
        {
            _frames.Provide((long)frame * PageSize, PageSize);
            return true;
        }
        catch (InsufficientMemoryException)
        {
            return false;
        }
    }

    private void EnsureCommitted(uint frame)
    {
        Commit(_frames, ref _committedFrames, (frame + 1L) * PageSize);
        Commit(_descriptors, ref _committedDescriptors, (frame + 1L) * FrameDescriptor.SizeInBytes);

        static void Commit(MemoryRegion region, ref long committed, long needed)
        {
            if (needed > committed)
            {
                long target = Math.Min(region.Size, (needed + CommitStep - 1) / CommitStep * CommitStep);
                region.Commit(committed, target - committed);
                committed = target;
            }
        }
    }
}
