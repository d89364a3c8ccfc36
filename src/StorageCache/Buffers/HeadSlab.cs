using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using StorageCache.Frames;

namespace StorageCache.Buffers;

/// <summary>The buffer heads of a cache, in type-stable memory. Thread-safe.</summary>
internal sealed unsafe class HeadSlab
{
    private readonly NativeSlab _slab;
    private readonly BufferHead* _heads;
    private int _inUse;
    private int _capacity;
    private int _further;

    /// <summary>Whether there was no memory for the last head that none could be used again for.</summary>
    private bool _isStunted;

    /// <param name="maximum">The most heads there can ever be.</param>
    /// <param name="hugePages">Whether to ask for 2 MiB memory pages.</param>
    public HeadSlab(uint maximum, bool hugePages)
    {
        int linkOffset = (int)Marshal.OffsetOf<BufferHead>(nameof(BufferHead.NextFree));
        Maximum = maximum;
        _slab = new NativeSlab(maximum, BufferHead.SizeInBytes, linkOffset, hugePages);
        _heads = (BufferHead*)_slab.Base;
    }

    /// <summary>How many heads may be in use at once beside those of further owners; moves with the memory limit.</summary>
    public int Capacity
    {
        get => Volatile.Read(ref _capacity);
        set => Volatile.Write(ref _capacity, value);
    }

    /// <summary>How many of the heads in use own a frame that has another owner before them.</summary>
    public int Further => Volatile.Read(ref _further);

    /// <summary>The most heads that may be in use at once.</summary>
    public int Limit => Capacity + Further;

    /// <summary>The most heads there can ever be.</summary>
    public uint Maximum { get; }

    /// <summary>How many heads are in use.</summary>
    public int InUse => Volatile.Read(ref _inUse);

    /// <summary>
    /// Whether a head is likely to be had: fewer than <see cref="Limit"/> are in use, and one is free or there has been memory for
    /// the last one that was wanted.
    /// </summary>
    public bool HasRoom => InUse < Limit && (_slab.HasFree || !Volatile.Read(ref _isStunted));

    /// <summary>Heads that were ever used have indices 1 to this.</summary>
    public uint HighWater => _slab.HighWater;

    /// <summary>Where the head with index 0 would be; the hit path computes addresses itself.</summary>
    public BufferHead* Base => _heads;

    /// <summary>The head with an index.</summary>
    public BufferHead* this[uint index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _heads + index;
    }

    /// <summary>Counts owners that a frame has beside its first: each has a head that no frame was charged for.</summary>
    public void AddFurther(int heads) => Interlocked.Add(ref _further, heads);

    /// <summary>Takes a head, or returns zero when <see cref="Limit"/> heads are in use.</summary>
    public uint TryAllocate(Slot* slot, long page, int mapping)
    {
        if (Interlocked.Increment(ref _inUse) > Limit)
        {
            Interlocked.Decrement(ref _inUse);
            return 0;
        }

        uint index = _slab.TryReuse();
        if (index == 0)
        {
            index = _slab.TryGrow();
            Volatile.Write(ref _isStunted, index == 0);
        }

        if (index == 0)
        {
            Interlocked.Decrement(ref _inUse);
            return 0;
        }

        BufferHead* head = _heads + index;
        Debug.Assert(head->Waiters == 0 && head->InUse == 0, "a free head has no waiters (B-5)");
        head->Slot = slot;
        head->Page = page;
        head->Mapping = mapping;
        head->Lsn = 0;
        head->PrivateWord = 0;
        head->RecoveryLsn = 0;
        head->OwnerNext = 0;
        head->OwnerPrevious = 0;
        head->InUse = 1;
        head->PinsWait = 0;
        return index;
    }

    /// <summary>Gives a head back.</summary>
    public void Free(uint index)
    {
        BufferHead* head = _heads + index;
        Debug.Assert(head->InUse == 1 && head->Waiters == 0, "a head is freed once, with an empty wait list (B-5)");
        head->InUse = 0;
        _slab.Free(index);
        Interlocked.Decrement(ref _inUse);
    }

    /// <summary>Gives all physical memory back; the addresses stay readable as zeros.</summary>
    public void Discard() => _slab.Discard();
}
