using StorageCache.IO;
using StorageCache.Sharing;
using StorageCache.Tests.Harness;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Protection;

/// <summary>Writers that find no frame to break away onto: whatever makes the copy needless, or brings a frame, resumes them.</summary>
/// <remarks>P-9, F-5.</remarks>
public sealed class BreakWaitTests
{
    private static readonly SharingDomain s_domain = new("tests") { SharesContent = true };

    public static TheoryData<string> Ends => ["hold", "truncation", "close", "reclaim", "write", "frame", "resize", "other writer"];

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task A_writer_without_a_frame_goes_on_when_it_can(string end)
    {
        await using PageCache cache = Open();
        ScriptedDevice device = new(4);
        await using Mapping mapping = await OpenAsync(cache, device);
        await using Mapping other = await OpenAsync(cache, new MemoryBlockDevice("other", 4 * 4096));
        Task flush = Task.CompletedTask;
        ProtectedPage? held = null;
        using PinList pins = new();
        pins.Add(mapping.Pin(0));
        switch (end)
        {
            case "write":
                using (PageWriteLease lease = mapping.Write(0))
                {
                    lease.Span.Fill(1);
                    lease.MarkDirty();
                }

                device.Hold = call => call.Operation == BlockOperation.Write;
                flush = mapping.FlushAsync().AsTask();
                device.WaitForHeld(1);
                break;
            case "hold" or "frame" or "resize":
                held = mapping.Protect(0, ProtectionReason.Snapshot);
                break;
            default:
                pins.Add(other.Pin(0));
                Assert.Equal(1, cache.GetStatistics().SharedFrames);
                break;
        }

        Stack<uint> frames = TakeAll(cache);
        Task<PageWriteLease> writer = mapping.WriteAsync(0).AsTask();
        Wait.Until(() => cache.Core.FrameQueue.Count == 1, "the writer to stand in line");
        Assert.False(mapping.TryWrite(0, out _));
        using (mapping.Read(0))
        {
            // Readers are not held up, and nothing is latched.
        }

        Task<PageWriteLease>? second = null;
        switch (end)
        {
            case "hold":
                held!.Dispose();
                break;
            case "truncation":
                await other.TruncateAsync(0).InTime();
                break;
            case "close":
                pins.ReturnLast();
                await other.CloseAsync().InTime();
                break;
            case "reclaim":
                pins.ReturnLast();
                break;
            case "write":
                device.ReleaseAll();
                break;
            case "resize":
                await cache.ResizeAsync(cache.MemoryLimit + (1 << 20)).InTime();
                break;
            case "other writer":
                second = other.WriteAsync(0).AsTask();
                Wait.Until(() => cache.Core.FrameQueue.Count == 2, "both to stand in line");
                cache.Core.DropFrame(frames.Pop());
                break;
            default:
                cache.Core.DropFrame(frames.Pop());
                break;
        }

        (await writer.InTime()).Dispose();
        if (second is not null)
        {
            (await second.InTime()).Dispose();
        }

        bool isCopied = end is "frame" or "resize" or "other writer";
        Assert.Equal(isCopied ? 1 : 0, cache.GetStatistics().Breaks);
        await flush.InTime();
        held?.Dispose();
        pins.Dispose();
        GiveAll(cache, frames);
        await Quiet.CheckAsync(cache, end);
    }

    /// <remarks>It has found that the page is held, and does not stand in line yet: nobody sees that there is somebody to tell.</remarks>
    [Fact]
    public async Task A_hold_that_ends_before_the_writer_stands_in_line_is_not_missed()
    {
        HookedTime time = new();
        await using PageCache cache = Open(time);
        await using Mapping mapping = await OpenAsync(cache, new MemoryBlockDevice("device", 4 * 4096));
        using PagePin pin = mapping.Pin(0);
        ProtectedPage held = mapping.Protect(0, ProtectionReason.Snapshot);
        Stack<uint> frames = TakeAll(cache);
        long waits = cache.GetStatistics().FrameWaits;
        time.Hook = () =>
        {
            if (cache.GetStatistics().FrameWaits > waits)
            {
                time.Hook = null;
                Assert.Equal(0, cache.Core.FrameQueue.Count);
                held.Dispose();
            }
        };
        Task<PageWriteLease> writer = mapping.WriteAsync(0).AsTask();
        Assert.Null(time.Hook);
        (await writer.InTime()).Dispose();
        Assert.Equal(0, cache.GetStatistics().Breaks);
        GiveAll(cache, frames);
    }

    /// <remarks>Who hashes a page has a reference to its frame, and a writer who comes meanwhile would have to copy.</remarks>
    [Fact]
    public async Task A_writer_goes_on_when_the_scan_has_done_with_its_page()
    {
        GatedHasher hasher = new();
        await using PageCache cache = Open(hasher: hasher, scans: true);
        await using Mapping mapping = await OpenAsync(cache, new MemoryBlockDevice("device", 4 * 4096));
        using PagePin pin = mapping.Pin(0);
        hasher.Gate.Reset();
        using (PageWriteLease lease = mapping.Write(0))
        {
            lease.Span.Fill(1);
            lease.MarkDirty();
        }

        await mapping.FlushAsync();
        Wait.Until(() => hasher.Waiting == 1, "the scan to hash the page");
        Stack<uint> frames = TakeAll(cache);
        Task<PageWriteLease> writer = mapping.WriteAsync(0).AsTask();
        Wait.Until(() => cache.Core.FrameQueue.Count == 1, "the writer to stand in line");
        hasher.Gate.Set();
        (await writer.InTime()).Dispose();
        Assert.Equal(0, cache.GetStatistics().Breaks);
        GiveAll(cache, frames);
    }

    /// <remarks>Every frame is dirty and held, the reserve is used up, and the writers wait: the flusher needs none of them.</remarks>
    [Fact]
    public async Task All_frames_dirty_and_held_are_flushed_all_the_same()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 400, memory: TestCache.Smallest, dirtyBackground: 0.9, dirtyLimit: 0.95);
        List<ProtectedPage> held = [];
        long page = 0;
        while (test.Mapping.TryWriteNew(page, out PageWriteLease lease))
        {
            lease.Span.Fill(1);
            lease.Dispose();
            Assert.True(test.Mapping.TryProtect(page++, ProtectionReason.Snapshot, out ProtectedPage? one, out _));
            held.Add(one!);
        }

        long next = 0;
        while (test.Mapping.TryWrite(next, out PageWriteLease lease))
        {
            lease.Span.Fill(2);
            lease.MarkDirty();
            lease.Dispose();
            next++;
        }

        Assert.True(next > 0, "writers have frames of their own");

        // A flush waits for who holds a dirty page, and a page of before that has been written may make way for a writer meanwhile.
        Task[] writers = [.. Enumerable.Range((int)next, 5).Select(async number => (await test.Mapping.WriteAsync(number)).Dispose())];
        await test.Mapping.FlushAsync().InTime();
        Assert.All(held, one => Assert.Equal(1, one.Span[0]));
        Assert.True(test.Cache.Core.Budget.Used <= test.Cache.Core.Budget.Limit);
        held.ForEach(one => one.Dispose());
        await Task.WhenAll(writers).InTime();
    }

    private static PageCache Open(TimeProvider? time = null, PageHasher? hasher = null, bool scans = false) => new(
        new PageCacheOptions
        {
            MemoryLimit = TestCache.Smallest,
            MaximumMemoryLimit = 1 << 26,
            WriteBackInterval = TimeSpan.FromHours(1),
            FrameTimeout = Timeout.InfiniteTimeSpan,
            TimeProvider = time ?? TimeProvider.System,
            ScanPagesPerSecond = scans ? 10_000_000 : 0,
            ScanCpuShare = 1,
        },
        hasher ?? PageHasher.CreateKeyed());

    private static async Task<Mapping> OpenAsync(PageCache cache, IBlockDevice device) =>
        await cache.OpenAsync(device, new MappingOptions { SharingDomain = s_domain, AccessPattern = AccessPattern.Random });

    private static Stack<uint> TakeAll(PageCache cache)
    {
        Stack<uint> frames = [];
        while (cache.Core.Frames.TryAllocate(forBreak: true) is > 0 and uint frame)
        {
            frames.Push(frame);
        }

        return frames;
    }

    private static void GiveAll(PageCache cache, Stack<uint> frames)
    {
        while (frames.TryPop(out uint frame))
        {
            cache.Core.DropFrame(frame);
        }
    }

    private sealed class HookedTime : TimeProvider
    {
        public Action? Hook { get; set; }

        public override long GetTimestamp()
        {
            Hook?.Invoke();
            return System.GetTimestamp();
        }
    }

    private sealed class GatedHasher : PageHasher
    {
        private int _waiting;

        public ManualResetEventSlim Gate { get; } = new(initialState: true);

        public int Waiting => Volatile.Read(ref _waiting);

        public override UInt128 Hash(ReadOnlySpan<byte> page)
        {
            Interlocked.Increment(ref _waiting);
            bool isOpen = Gate.Wait(Wait.Patience * 2);
            Interlocked.Decrement(ref _waiting);
            return isOpen ? (UInt128)page[0] : default;
        }
    }
}
