using System.Diagnostics;
using System.Runtime.CompilerServices;
using StorageCache.Buffers;
using StorageCache.Diagnostics;
using StorageCache.Frames;
using StorageCache.IO;
using StorageCache.Mappings;
using StorageCache.Platform;
using StorageCache.Protection;
using StorageCache.ReadAhead;
using StorageCache.Replacement;
using StorageCache.Sharing;
using StorageCache.Waiting;
using StorageCache.Writeback;

namespace StorageCache;

/// <summary>
/// What all mappings of one cache share: memory, heads, waiters, replacement, write-back. Built once, in the order in
/// which the parts need each other.
/// </summary>
internal sealed unsafe class CacheCore
{
    private const int LeastFrames = 64;
    private const int SpareHeadsAtLeast = 64;

    /// <summary>Heads, spare ones included, and sums of a few frame counts stay within 31 bits.</summary>
    private const int MostFrames = 1 << 29;

    /// <summary>What making way for one page can take at most at once: a leaf, and the nodes that it hangs in. Bytes.</summary>
    private const int RoomForMetadata = PageTableMemory.LeafBytes + (2 * PageTableMemory.NodeBytes);
    private const long HugePagesFrom = 64L << 20;

    /// <summary>A quarter of the memory may go to heads of pages that have a frame together with others. Bytes.</summary>
    private const int BytesPerFurtherHead = 4 * BufferHead.SizeInBytes;

    private const long MostHeads = 1L << 31;

    /// <summary>No more than a quarter of the limit is evicted for one piece of metadata.</summary>
    private const int LimitPerMetadata = 4;

    private readonly Lock _mappingLock = new();
    private Mapping?[] _mappings = new Mapping?[8];

    /// <summary>Those of <see cref="_mappings"/> that there are; made anew whenever one comes or goes.</summary>
    private volatile Mapping[] _openMappings = [];

    /// <param name="cache">The public face.</param>
    /// <param name="options">Checked.</param>
    /// <param name="engine">What carries out the I/O of the cache's files.</param>
    /// <param name="hasher">What pages are hashed with.</param>
    public CacheCore(PageCache cache, PageCacheOptions options, IIoEngine engine, PageHasher hasher)
    {
        Cache = cache;
        Options = options;
        PageSize = options.PageSize;
        PageShift = int.Log2(options.PageSize);
        long maximum = options.MaximumMemoryLimit != 0
            ? options.MaximumMemoryLimit
            : Math.Max(options.MemoryLimit, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        MaximumMemory = maximum;
        bool hugePages = options.HugePages && options.MemoryLimit >= HugePagesFrom;
        uint maximumFrames = (uint)Math.Min(MostFrames, maximum / PageSize);
        Budget = new MemoryBudget(options.MemoryLimit);
        Frames = new FramePool(Budget, PageSize, maximumFrames, BufferHead.SizeInBytes, hugePages, options.Guarded);
        Heads = new HeadSlab((uint)Math.Min(MostHeads, maximumFrames + (maximumFrames / 32L) + SpareHeadsAtLeast + (maximum / BytesPerFurtherHead)), hugePages);
        PageTables = new PageTableMemory(Budget, maximum, hugePages);
        Resumptions = new PooledResumption(options.Threads.Clock);
        Waiters = new WaiterPool<PageWaiter>(MakeWaiter);
        OwnThread = new OwnThread("StorageCache tasks", options.Threads);
        Registration = TryRegisterFrames(engine, out string? noRegisteredMemory);
        NoRegisteredMemory = noRegisteredMemory;
        FrameQueue = new FrameQueue(Frames, options.TimeProvider, options.FrameTimeout, RoomForMetadata + Frames.BytesPerFrame);
        Loads = new PageLoadPool(this);
        Counters = new CacheCounters();
        Hits = new HitCounters();
        Health = new HealthEvents(cache);
        Protection = new FrameProtection(this);
        Sharing = new FrameSharing(this, hasher);
        Extents = new ExtentSharing(this);
        Size(options.MemoryLimit);
        Reclaimer = new Reclaimer<TwoBitClock>(this, default);
        WriteBack = new WriteBackEngine(this, engine.Places);
    }

    /// <summary>The cache's public face.</summary>
    public PageCache Cache { get; }

    /// <summary>What the cache was made with.</summary>
    public PageCacheOptions Options { get; }

    /// <summary>Bytes per page.</summary>
    public int PageSize { get; }

    /// <summary>Binary logarithm of <see cref="PageSize"/>.</summary>
    public int PageShift { get; }

    /// <summary>The largest memory limit that can be set, in bytes.</summary>
    public long MaximumMemory { get; }

    /// <summary>The memory limit.</summary>
    public MemoryBudget Budget { get; }

    /// <summary>Page-sized memory.</summary>
    public FramePool Frames { get; }

    /// <summary>Which frames the I/O engine has registered; null if it registers none.</summary>
    public FrameRegistration? Registration { get; }

    /// <summary>Why the I/O engine registers no frames, as a sentence; null if it does.</summary>
    public string? NoRegisteredMemory { get; }

    /// <summary>Who the pages are.</summary>
    public HeadSlab Heads { get; }

    /// <summary>What page tables are built from.</summary>
    public PageTableMemory PageTables { get; }

    /// <summary>The way of those who waited to the thread pool.</summary>
    public PooledResumption Resumptions { get; }

    /// <summary>Those who can wait.</summary>
    public WaiterPool<PageWaiter> Waiters { get; }

    /// <summary>What must not wait for a thread of the pool runs here.</summary>
    public OwnThread OwnThread { get; }

    /// <summary>Those who wait for a frame.</summary>
    public FrameQueue FrameQueue { get; }

    /// <summary>Reads under way and to come.</summary>
    public PageLoadPool Loads { get; }

    /// <summary>What the cache has done.</summary>
    public CacheCounters Counters { get; }

    /// <summary>Those who want to hear of what goes wrong.</summary>
    public HealthEvents Health { get; }

    /// <summary>How often a page was there, and the pins that are held.</summary>
    public HitCounters Hits { get; }

    /// <summary>Write protection.</summary>
    public FrameProtection Protection { get; }

    /// <summary>Frames that several pages have together.</summary>
    public FrameSharing Sharing { get; }

    /// <summary>Which pages of files are the same by their extents.</summary>
    public ExtentSharing Extents { get; }

    /// <summary>Eviction.</summary>
    public IReclaimer Reclaimer { get; }

    /// <summary>Dirty pages and their way to the device.</summary>
    public WriteBackEngine WriteBack { get; }

    /// <summary>Frames that the memory limit has room for, with their metadata.</summary>
    public int FrameCapacity { get; private set; }

    /// <summary>How far sequential readers are read ahead of.</summary>
    public ReadAheadLimits ReadAheadLimits =>
        new((int)Math.Min(Options.ReadAheadLimit / PageSize, Math.Max(SequentialStream.FirstWindow, FrameCapacity / 16)), FrameCapacity / 4, Reclaimer.Spare);

    /// <summary>
    /// Whether no more pages may be claimed without a frame at hand. Claims hold heads, and if those at the end of the frame queue
    /// held them all, frames would go round in vain among those at its front (F-6).
    /// </summary>
    public bool IsCrowded => FrameQueue.Count >= SpareHeads(FrameCapacity) / 2;

    /// <summary>The least memory limit for a page size, in bytes.</summary>
    public static long LeastMemory(int pageSize) => Overhead(LeastFrames) + (LeastFrames * (long)BytesPerFrame(pageSize));

    /// <summary>Applies a memory limit to everything that is sized by it. What is charged above it is not given back here.</summary>
    public void Size(long limit)
    {
        Budget.SetLimit(limit);
        int frames = (int)Math.Min(Frames.MaximumFrames, (limit - Overhead(0)) / (BytesPerFrame(PageSize) + 22));
        while (Overhead(frames) + (frames * (long)BytesPerFrame(PageSize)) > limit)
        {
            frames--;
        }

        Debug.Assert(frames >= LeastFrames / 2, "the limit was checked to have room for frames");
        int spare = SpareHeads(frames);
        long spareBefore = Heads.Capacity - FrameCapacity;
        Budget.Release((spareBefore - spare) * BufferHead.SizeInBytes);
        FrameCapacity = frames;
        Heads.Capacity = frames + spare;
        Frames.Capacity = frames;
        Frames.Reserve = Math.Clamp(frames / 64, 2, 256);
    }

    /// <summary>The mapping with a number, or null.</summary>
    public Mapping? MappingAt(int number)
    {
        Mapping?[] mappings = Volatile.Read(ref _mappings);
        return (uint)number < (uint)mappings.Length ? Volatile.Read(ref mappings[number]) : null;
    }

    /// <summary>All mappings that are open. Not to be changed.</summary>
    public Mapping[] OpenMappings() => _openMappings;

    /// <summary>Gives a new mapping a number. Numbers are used again; 0 is none.</summary>
    public int Register(Func<int, Mapping> create)
    {
        lock (_mappingLock)
        {
            int number = Array.IndexOf(_mappings, null, 1);
            if (number < 0)
            {
                number = _mappings.Length;
                var grown = new Mapping?[number * 2];
                _mappings.CopyTo(grown, 0);
                Volatile.Write(ref _mappings, grown);
            }

            Volatile.Write(ref _mappings[number], create(number));
            NoteOpenMappings();
            return number;
        }
    }

    /// <summary>Takes a closed mapping's number back.</summary>
    public void Unregister(int number)
    {
        lock (_mappingLock)
        {
            Volatile.Write(ref _mappings[number], null);
            NoteOpenMappings();
        }
    }

    /// <summary>Takes a free frame, evicting if there is none; zero when that would need waiting.</summary>
    public uint TryAllocateFrame(bool forBreak)
    {
        uint frame = Frames.TryAllocate(forBreak);
        if (frame == 0 && Protection.LateDrops.Drop())
        {
            frame = Frames.TryAllocate(forBreak);
        }

        if (frame == 0 && Reclaimer.Evict(1) > 0)
        {
            frame = Frames.TryAllocate(forBreak);
        }

        Reclaimer.Balance();
        return frame;
    }

    /// <summary>
    /// Drops a reference to a frame. If that frees it, whoever waits for a frame gets it; if its owner's is left alone, that one may write
    /// without a copy (P-10). No lock is held.
    /// </summary>
    public void DropFrame(uint frame)
    {
        if (Frames.DropReference(frame))
        {
            FrameQueue.Pump();
        }
        else
        {
            TellLastOwner(frame);
        }
    }

    /// <summary>As <see cref="DropFrame"/>, while a latch is held, or a page is claimed: whoever waits is served by another thread.</summary>
    public void DropFrameQuietly(uint frame)
    {
        if (!Frames.DropReference(frame))
        {
            TellLastOwner(frame);
        }
        else if (FrameQueue.Count > 0)
        {
            Reclaimer.Kick();
        }
    }

    /// <summary>
    /// To be called when a reference to a frame has gone and it is not free: its last owner may be in line to break away from it, and not
    /// need to any more (P-10).
    /// </summary>
    public void TellLastOwner(uint frame)
    {
        if (FrameQueue.Count > 0 && Volatile.Read(ref Frames.Descriptor(frame)->OwnerCount) == 1)
        {
            FrameQueue.RetryBreaksLater();
            Reclaimer.Kick();
        }
    }

    /// <summary>Charges the memory limit for metadata, evicting pages if need be. Returns false if there is no room to be had. No lock is held.</summary>
    public bool TryTakeRoom(long bytes)
    {
        const int EvictedAtOnce = 64;
        if (bytes > Budget.Limit / LimitPerMetadata)
        {
            return false;
        }

        while (!Frames.TryTakeRoom(bytes))
        {
            if (Reclaimer.Evict(EvictedAtOnce) == 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Makes room for page table metadata: takes a leaf down that has no pages, or else gives frames back, free ones or those of
    /// pages that can be evicted. Returns whether it is worth while to try again.
    /// </summary>
    public bool TryMakeRoomForMetadata()
    {
        // Where the kernel has no memory to promise, frames that are given back are lost and nothing is gained.
        return TryReclaimLeaf() || (PageTables.MayGrow && TryRetireForMetadata());
    }

    /// <summary>
    /// All that is needed or nothing: what is given back bit by bit is taken by others bit by bit, and whoever still lacks some
    /// would evict one page after the other.
    /// </summary>
    private bool TryRetireForMetadata()
    {
        Span<uint> frames = stackalloc uint[(RoomForMetadata / Frames.BytesPerFrame) + 1];
        int count = 0;
        while (count < frames.Length && (frames[count] = TryAllocateFrame(forBreak: false)) != 0)
        {
            count++;
        }

        bool isEnough = count == frames.Length;
        foreach (uint frame in frames[..count])
        {
            if (isEnough)
            {
                Frames.Retire(frame);
            }
            else
            {
                Frames.DropReference(frame);
            }
        }

        return isEnough;
    }

    /// <summary>Takes down one leaf that holds nothing but shadow entries.</summary>
    public bool TryReclaimLeaf()
    {
        for (int attempts = PageTables.QueuedLeaves; attempts > 0; attempts--)
        {
            LeafHeader* leaf = PageTables.Dequeue();
            if (leaf == null)
            {
                return false;
            }

            // A leaf in use again is queued anew when its last user leaves.
            if (Volatile.Read(ref leaf->Users) == 0 && MappingAt(leaf->Mapping)?.Table.TryReclaim(leaf) == true)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Keeps the number of leaves that hold nothing but shadow entries in proportion to the cache.</summary>
    public void TrimEmptyLeaves()
    {
        int most = (2 * FrameCapacity / PageTable.SlotsPerLeaf) + 4;
        while (PageTables.QueuedLeaves > most && TryReclaimLeaf())
        {
        }
    }

    /// <summary>Gives all physical memory back. Nothing may be in flight, and no lease held.</summary>
    public void Discard()
    {
        Frames.Discard();
        Heads.Discard();
        PageTables.Discard();
    }

    private FrameRegistration? TryRegisterFrames(IIoEngine engine, out string? refusal)
    {
        if (!Options.RegisterMemory)
        {
            refusal = $"It is not asked for ({nameof(PageCacheOptions)}.{nameof(PageCacheOptions.RegisterMemory)}).";
            return null;
        }

        if (engine.TryRegisterMemory(Frames.Base, Frames.AddressBytes, out refusal) is not { } memory)
        {
            return null;
        }

        FrameRegistration registration = new(Frames, memory, OwnThread);
        Frames.ReportTo(registration);
        return registration;
    }

    private void NoteOpenMappings() => _openMappings = _mappings.OfType<Mapping>().ToArray();

    private static int BytesPerFrame(int pageSize) => pageSize + FrameDescriptor.SizeInBytes + BufferHead.SizeInBytes;

    private static int SpareHeads(int frames) => Math.Max(SpareHeadsAtLeast, frames / 64);

    /// <summary>Bytes beside frames, descriptors and their heads: spare heads, and page tables somewhat sparser than full.</summary>
    private static long Overhead(int frames)
    {
        long leaves = (frames / PageTable.SlotsPerLeaf * 5L / 4) + 6;
        return (SpareHeads(frames) * (long)BufferHead.SizeInBytes)
            + (leaves * PageTableMemory.LeafBytes)
            + (((leaves / PageTable.EntriesPerNode) + 4) * PageTableMemory.NodeBytes);
    }

    private PageWaiter MakeWaiter(uint index) =>
        new(Waiters, index, Options.TimeProvider, Resumptions, Options.AllowSynchronousContinuations);
}
