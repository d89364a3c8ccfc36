using StorageCache.Diagnostics;
using StorageCache.Mappings;
using Xunit;

namespace StorageCache.Tests.Harness;

/// <summary>A cache with one mapping of a scripted device, whose structures are checked when the test is done.</summary>
internal sealed class TestCache : IAsyncDisposable
{
    private readonly IWriteAheadLog? _log;

    private TestCache(PageCache cache, ScriptedDevice device, Mapping mapping, IWriteAheadLog? log)
    {
        _log = log;
        Cache = cache;
        Device = device;
        Mapping = mapping;
    }

    /// <summary>The smallest memory limit there is: room for 64 pages.</summary>
    public static long Smallest => CacheCore.LeastMemory(4096);

    public PageCache Cache { get; }

    public ScriptedDevice Device { get; }

    public Mapping Mapping { get; }

    public int Frames => (int)Cache.GetStatistics().FrameCapacity;

    /// <summary>
    /// Opens a cache, guarded unless told otherwise: what writes through a pointer that is for reading ends the run (P-20). Write-back runs only when the cache needs it: the interval is an hour.
    /// Nothing is read ahead, unless the pattern is given.
    /// </summary>
    public static async Task<TestCache> OpenAsync(
        long pages = 64,
        long memory = 4 << 20,
        ScriptedDevice? device = null,
        int stealLimit = 8,
        bool inline = false,
        TimeSpan? frameTimeout = null,
        TimeSpan? latchTimeout = null,
        TimeProvider? time = null,
        double dirtyBackground = 0.9,
        double dirtyLimit = 0.95,
        AccessPattern pattern = AccessPattern.Random,
        bool guarded = true,
        IWriteAheadLog? log = null,
        PageCodec? codec = null)
    {
        device ??= new ScriptedDevice(pages);
        PageCache cache = new(new PageCacheOptions
        {
            MemoryLimit = memory,
            MaximumMemoryLimit = Math.Max(memory, 1 << 26),
            StealLimit = stealLimit,
            AllowSynchronousContinuations = inline,
            FrameTimeout = frameTimeout ?? TimeSpan.FromSeconds(30),
            LatchTimeout = latchTimeout ?? Timeout.InfiniteTimeSpan,
            TimeProvider = time ?? TimeProvider.System,
            DirtyBackgroundRatio = dirtyBackground,
            DirtyLimitRatio = dirtyLimit,
            WriteBackInterval = TimeSpan.FromHours(1),
            Guarded = guarded,
        });
        return new TestCache(cache, device, await cache.OpenAsync(device, new MappingOptions { AccessPattern = pattern, Log = log, Codec = codec }), log);
    }

    /// <summary>Writes a byte all over a page.</summary>
    public void Fill(long page, byte value)
    {
        using PageWriteLease lease = Mapping.Write(page);
        lease.Span.Fill(value);
        lease.MarkDirty();
    }

    /// <summary>The first byte of a page, all of which must be the same.</summary>
    public byte ByteOf(long page)
    {
        using PageReadLease lease = Mapping.Read(page);
        Assert.True(lease.Span.IndexOfAnyExcept(lease.Span[0]) < 0, $"page {page} is torn");
        return lease.Span[0];
    }

    /// <summary>Evicts a page that nothing holds, as eviction under pressure would.</summary>
    public void Evict(long page)
    {
        Wait.Until(() =>
        {
            Cache.Core.Reclaimer.Evict(int.MaxValue);
            return !IsResident(page);
        }, $"page {page} to be evicted");
    }

    public unsafe bool IsResident(long page)
    {
        Buffers.Slot* slot = Mapping.Table.Find(page);
        return slot != null && (Buffers.StateWord.Load(slot) & Buffers.StateWord.UpToDate) != 0;
    }

    /// <summary>How many stand in a page's wait list.</summary>
    public unsafe int WaitersOf(long page)
    {
        Buffers.Slot* slot = Mapping.Table.Enter(page, create: false, out _);
        if (slot == null)
        {
            return 0;
        }

        int count = 0;
        ulong state = Buffers.StateWord.LockList(slot);
        if ((state & Buffers.StateWord.Attached) != 0)
        {
            uint first = Cache.Core.Heads[slot->Head]->Waiters;
            PageWaiter? waiter = first == 0 ? null : Cache.Core.Waiters[first];
            for (; waiter is not null; waiter = (PageWaiter?)waiter.Next)
            {
                count++;
            }
        }

        Buffers.StateWord.UnlockList(slot);
        Cache.Core.PageTables.Leave(Cache.Core.PageTables.HeaderOf(slot));
        return count;
    }

    public void WaitForWaiters(long page, int count) => Wait.Until(() => WaitersOf(page) >= count, $"{count} to wait for page {page}");

    /// <summary>Proves that nothing is left held, counted or queued.</summary>
    public void AssertSound(int pins = 0)
    {
        IReadOnlyList<string> problems = [];
        long start = Environment.TickCount64;
        while ((problems = IntegrityCheck.Run(Cache.Core, pins)).Count > 0 && Environment.TickCount64 - start < 5000)
        {
            Thread.Sleep(1);
        }

        Assert.Empty(problems);
    }

    public async ValueTask DisposeAsync()
    {
        (_log as ScriptedLog)?.LetGo();
        Device.Fault = null;
        Device.ReleaseAll();
        AssertSound();
        await Cache.DisposeAsync().InTime();
    }
}
