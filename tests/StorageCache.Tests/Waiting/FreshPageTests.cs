using StorageCache.Frames;
using StorageCache.Tests.Harness;
using StorageCache.Waiting;
using Xunit;

namespace StorageCache.Tests.Waiting;

/// <summary>M-6: a page that is made without being read is its maker's alone until that one has come for it.</summary>
/// <remarks>While somebody waits for a frame, a page is not made at once: its maker is granted it, as others are granted a page that was read.</remarks>
public class FreshPageTests
{
    /// <summary>The token is cancelled after the grant and before the maker runs, and a pin comes in between.</summary>
    [Fact]
    public async Task A_page_whose_maker_is_cancelled_after_the_grant_is_read_for_those_who_want_it()
    {
        await using TestCache test = await TestCache.OpenAsync(inline: true);
        test.Fill(20, 7);
        await test.Mapping.FlushAsync().InTime();
        test.Evict(20);
        long reads = test.Device.Reads;
        using Onlooker onlooker = new(test.Cache.Core.FrameQueue);
        using CancellationTokenSource source = new();
        (Task<PageWriteLease> maker, Task<PagePin> pinning) = GrantAndCancel(test, source);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => maker.InTime());
        using (PagePin pin = await pinning.InTime())
        {
            Assert.True(test.IsResident(20));
            Assert.True(pin.TryRead(out PageReadLease lease));
            Assert.Equal(7, lease.Span[0]);
            lease.Dispose();
        }

        Assert.Equal(1, test.Device.Reads - reads);
        Assert.Equal(0, test.Cache.GetStatistics().DirtyPages);
    }

    [Fact]
    public async Task A_page_that_was_granted_to_its_maker_is_not_to_be_had_until_the_maker_has_come_for_it()
    {
        await using TestCache test = await TestCache.OpenAsync(inline: true);
        using Onlooker onlooker = new(test.Cache.Core.FrameQueue);
        Task<PageWriteLease> maker = GrantAndLook(test);
        using (PageWriteLease lease = await maker.InTime())
        {
            Assert.True(test.Mapping.TryPin(20, out PagePin pin));
            pin.Dispose();
        }

        Assert.Equal(0, test.ByteOf(20));
        Assert.Equal(0, test.Device.Reads);
    }

    /// <summary>W-11: one who came to pin the page before its maker had it waits for that, and not for the maker's lease.</summary>
    [Fact]
    public async Task A_pin_that_came_before_the_maker_had_the_page_does_not_wait_for_the_lease()
    {
        await using TestCache test = await TestCache.OpenAsync(inline: true);
        using Onlooker onlooker = new(test.Cache.Core.FrameQueue);
        (Task<PageWriteLease> maker, Task<PagePin> pinning) = GrantAndPin(test);
        using PageWriteLease lease = await maker.InTime();
        using PagePin pin = await pinning.InTime();
        Assert.False(pin.TryRead(out _));
    }

    private static (Task<PageWriteLease> Maker, Task<PagePin> Pinning) GrantAndPin(TestCache test)
    {
        InlineResumption.Hold();
        try
        {
            Task<PageWriteLease> maker = test.Mapping.WriteNewAsync(20).AsTask();
            Task<PagePin> pinning = test.Mapping.PinAsync(20).AsTask();
            Assert.False(maker.IsCompleted);
            Assert.False(pinning.IsCompleted);
            return (maker, pinning);
        }
        finally
        {
            InlineResumption.Release();
        }
    }

    // Not asynchronous: what is held is the thread's.
    private static (Task<PageWriteLease> Maker, Task<PagePin> Pinning) GrantAndCancel(TestCache test, CancellationTokenSource source)
    {
        InlineResumption.Hold();
        try
        {
            Task<PageWriteLease> maker = test.Mapping.WriteNewAsync(20, source.Token).AsTask();
            Task<PagePin> pinning = test.Mapping.PinAsync(20).AsTask();
            source.Cancel();
            Assert.False(maker.IsCompleted);
            return (maker, pinning);
        }
        finally
        {
            InlineResumption.Release();
        }
    }

    private static Task<PageWriteLease> GrantAndLook(TestCache test)
    {
        InlineResumption.Hold();
        try
        {
            Task<PageWriteLease> maker = test.Mapping.WriteNewAsync(20).AsTask();
            Assert.False(test.Mapping.TryPin(20, out _));
            Assert.False(test.Mapping.TryRead(20, out _));
            Assert.False(test.Mapping.TryReadOptimistic(20, out _));
            return maker;
        }
        finally
        {
            InlineResumption.Release();
        }
    }

    /// <summary>Stands in the frame queue, and never has use for a frame.</summary>
    private sealed class Onlooker : IFrameWaiter, IDisposable
    {
        private readonly FrameQueue _queue;

        public Onlooker(FrameQueue queue)
        {
            _queue = queue;
            queue.Enqueue(this, FrameNeed.FrameAndMore);
        }

        public IFrameWaiter? NextFrameWaiter { get; set; }

        public IFrameWaiter? PreviousFrameWaiter { get; set; }

        public FrameNeed QueuedFor { get; set; }

        public long FrameTicket { get; set; }

        public long FrameTurn { get; set; }

        public long FrameDeadline { get; set; }

        public bool CanUseFrame => false;

        public bool NeedsRoom => false;

        public long OnQueueing() => 0;

        public bool OnFrame(uint frame, long ticket) => false;

        public bool OnRoom(long bytes, long ticket) => false;

        public void OnFrameTimeout(long ticket)
        {
        }

        public void Dispose() => _queue.Remove(this);
    }
}
