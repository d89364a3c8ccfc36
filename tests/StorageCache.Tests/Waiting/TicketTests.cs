using StorageCache.Frames;
using StorageCache.Mappings;
using StorageCache.Tests.Harness;
using StorageCache.Waiting;
using Xunit;

namespace StorageCache.Tests.Waiting;

/// <summary>W-3: a resumption is for one arming. A waiter that has gone round to somebody else is left alone.</summary>
public class TicketTests
{
    [Fact]
    public async Task An_abort_that_was_seen_in_one_arming_does_not_end_another()
    {
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(time: time);
        PageWaiter waiter = test.Cache.Core.Waiters.Rent();
        waiter.Prepare(test.Mapping, 1, WaitMode.Shared, isNew: false, isInternal: false, isBlocking: true, TimeSpan.FromSeconds(1), CancellationToken.None);
        long first = waiter.NextTicket;
        Assert.Equal(first, waiter.Arm());
        Assert.True(waiter.TryResume(WaitOutcome.Granted));
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.True(waiter.IsAborted);

        long second = waiter.Arm();
        waiter.Watch(first);
        Assert.True(waiter.IsArmed);

        waiter.Watch(second);
        Assert.Equal(WaitOutcome.Aborted, waiter.Outcome);
        waiter.Return();
    }

    /// <summary>
    /// A break that is told to try again has left the queue; before it hears of it, it is cancelled, reused, and stands in the
    /// queue for something else.
    /// </summary>
    [Fact]
    public async Task A_waiter_that_left_the_frame_queue_and_came_back_is_not_resumed_for_its_first_stay()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageWaiter second = Rent(test);
        RequeueingWaiter first = new(() =>
        {
            Assert.Equal(FrameNeed.None, second.QueuedFor);
            Assert.True(second.TryResume(WaitOutcome.Aborted));
            second.Return();
            second = Rent(test);
            second.IsForBreak = false;
            test.Cache.Core.FrameQueue.Enqueue(second, FrameNeed.Frame);
        });
        PageWaiter reused = second;
        test.Cache.Core.FrameQueue.Enqueue(first, FrameNeed.Break);
        test.Cache.Core.FrameQueue.Enqueue(second, FrameNeed.Break);

        test.Cache.Core.FrameQueue.RetryBreaks();

        Assert.Same(reused, second);
        Assert.True(second.IsArmed);
        Assert.Equal(FrameNeed.Frame, second.QueuedFor);
        Assert.False(second.OnFrame(1, second.FrameTicket - 1));
        second.OnFrameTimeout(second.FrameTicket - 1);
        Assert.True(second.IsArmed);
        test.Cache.Core.FrameQueue.Remove(second);
        Assert.True(second.TryResume(WaitOutcome.Aborted));
        second.Return();
    }

    private static PageWaiter Rent(TestCache test)
    {
        PageWaiter waiter = test.Cache.Core.Waiters.Rent();
        waiter.Prepare(test.Mapping, 1, WaitMode.Exclusive, isNew: false, isInternal: false, isBlocking: true, Timeout.InfiniteTimeSpan, CancellationToken.None);
        waiter.IsForBreak = true;
        return waiter;
    }
}
