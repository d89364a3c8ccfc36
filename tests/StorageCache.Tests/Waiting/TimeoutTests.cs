using System.Diagnostics;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Waiting;

public class TimeoutTests
{
    [Fact]
    public async Task Time_outs_follow_the_clock_that_the_cache_was_given()
    {
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(time: time, latchTimeout: TimeSpan.FromSeconds(60));
        PageWriteLease held = test.Mapping.Write(1);
        Task<PageReadLease> quick = test.Mapping.ReadAsync(1, TimeSpan.FromSeconds(10)).AsTask();
        Task<PageWriteLease> slow = test.Mapping.WriteAsync(1).AsTask();
        Task<PageReadLease> never = test.Mapping.ReadAsync(1, Timeout.InfiniteTimeSpan).AsTask();
        time.Advance(TimeSpan.FromSeconds(9.9));
        Assert.False(quick.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(0.2));
        LatchTimeoutException error = await Assert.ThrowsAsync<LatchTimeoutException>(() => quick.InTime());
        Assert.Equal(1, error.Page);
        Assert.False(slow.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(60));
        await Assert.ThrowsAsync<LatchTimeoutException>(() => slow.InTime());
        Assert.False(never.IsCompleted);
        held.Dispose();
        (await never.InTime()).Dispose();
    }

    [Fact]
    public async Task A_wait_that_ended_in_time_is_not_ended_again_by_its_timer()
    {
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(time: time);
        for (int i = 0; i < 50; i++)
        {
            PageWriteLease held = test.Mapping.Write(1);
            Task<PageReadLease> first = test.Mapping.ReadAsync(1, TimeSpan.FromSeconds(1)).AsTask();
            held.Dispose();
            (await first.InTime()).Dispose();
            held = test.Mapping.Write(1);

            // The same waiter, from the pool, with more patience.
            Task<PageReadLease> second = test.Mapping.ReadAsync(1, TimeSpan.FromSeconds(100)).AsTask();
            time.Advance(TimeSpan.FromSeconds(2));
            Assert.False(second.IsCompleted);
            held.Dispose();
            (await second.InTime()).Dispose();
        }
    }

    [Fact]
    public async Task Blocked_threads_and_awaiting_code_time_out_by_the_real_clock()
    {
        await using TestCache test = await TestCache.OpenAsync(latchTimeout: TimeSpan.FromMilliseconds(60));
        using PageWriteLease held = test.Mapping.Write(1);
        long start = Stopwatch.GetTimestamp();
        Assert.Throws<LatchTimeoutException>(() => test.Mapping.Read(1));
        Assert.Throws<LatchTimeoutException>(() => test.Mapping.Write(1, TimeSpan.FromMilliseconds(30)));
        await Assert.ThrowsAsync<LatchTimeoutException>(() => test.Mapping.ReadAsync(1).InTime());
        await Assert.ThrowsAsync<LatchTimeoutException>(() => test.Mapping.WriteAsync(1, TimeSpan.FromMilliseconds(30)).InTime());
        await Assert.ThrowsAsync<LatchTimeoutException>(() => test.Mapping.ReadOptimisticAsync(1).InTime());
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalMilliseconds, 200, 15_000);
        Assert.Equal(0, test.WaitersOf(1));
    }

    /// <summary>
    /// The thread is held up for longer than the time-out before it has as much as looked at the page: a page that can be
    /// had at once is had all the same, and a close does not call a mapping busy that nobody uses.
    /// </summary>
    [Fact]
    public async Task Time_is_up_only_for_one_who_had_to_wait()
    {
        await using TestCache test = await TestCache.OpenAsync(time: new LeapingTime(), frameTimeout: TimeSpan.FromSeconds(1));
        test.Mapping.Prefetch(0, 20);
        test.Mapping.WriteNew(1, TimeSpan.FromMilliseconds(1)).Dispose();
        (await test.Mapping.WriteNewAsync(1, TimeSpan.FromMilliseconds(1)).InTime()).Dispose();
        using (PageReadLease held = test.Mapping.Read(2))
        {
            Assert.Throws<LatchTimeoutException>(() => test.Mapping.Write(2, TimeSpan.FromMilliseconds(1)));
            await Assert.ThrowsAsync<LatchTimeoutException>(() => test.Mapping.WriteAsync(2, TimeSpan.FromMilliseconds(1)).InTime());
        }

        await test.Mapping.CloseAsync().InTime();
    }

    [Fact]
    public async Task A_load_that_takes_too_long_times_out_and_the_page_comes_all_the_same()
    {
        await using TestCache test = await TestCache.OpenAsync(latchTimeout: TimeSpan.FromMilliseconds(40));
        test.Device.Hold = _ => true;
        await Assert.ThrowsAsync<LatchTimeoutException>(() => test.Mapping.ReadAsync(3).InTime());
        test.Device.ReleaseAll();
        Assert.True(test.Mapping.TryRead(3, out PageReadLease lease));
        lease.Dispose();
    }
}
