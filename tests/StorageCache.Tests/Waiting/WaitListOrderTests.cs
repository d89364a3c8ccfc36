using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Waiting;

public class WaitListOrderTests
{
    [Fact]
    public async Task Writers_are_served_first_in_first_out()
    {
        await using TestCache test = await TestCache.OpenAsync(stealLimit: 0);
        PageWriteLease held = test.Mapping.Write(1);
        List<int> order = [];
        Task[] tasks = [.. Enumerable.Range(0, 200).Select(Next)];
        held.Dispose();
        await Task.WhenAll(tasks).InTime();
        Assert.Equal(Enumerable.Range(0, 200), order);

        async Task Next(int number)
        {
            using PageWriteLease lease = await test.Mapping.WriteAsync(1);
            order.Add(number);
        }
    }

    /// <remarks>W-9: a wake examines the waiters it resumes, and at most one more.</remarks>
    [Fact]
    public async Task Readers_at_the_front_are_woken_together_and_those_behind_a_writer_are_not()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageWriteLease held = test.Mapping.Write(1);
        Task<PageReadLease>[] first = [.. Enumerable.Range(0, 5).Select(_ => test.Mapping.ReadAsync(1).AsTask())];
        Task<PageWriteLease> writer = test.Mapping.WriteAsync(1).AsTask();
        Task<PageReadLease> last = test.Mapping.ReadAsync(1).AsTask();
        long examined = test.Cache.GetStatistics().WaitersExamined;

        held.Dispose();

        PageReadLease[] leases = await Task.WhenAll(first).InTime();
        Assert.InRange(test.Cache.GetStatistics().WaitersExamined - examined, 5, 6);
        Assert.False(writer.IsCompleted);
        Assert.False(last.IsCompleted);
        foreach (PageReadLease lease in leases)
        {
            lease.Dispose();
        }

        PageWriteLease written = await writer.InTime();
        Assert.False(last.IsCompleted);
        written.Dispose();
        (await last.InTime()).Dispose();
    }

    [Fact]
    public async Task With_a_steal_limit_of_zero_the_latch_is_handed_over_at_once()
    {
        await using TestCache test = await TestCache.OpenAsync(stealLimit: 0);
        for (int i = 0; i < 200; i++)
        {
            PageWriteLease held = test.Mapping.Write(1);
            Task<PageWriteLease> writer = test.Mapping.WriteAsync(1).AsTask();
            held.Dispose();
            Assert.False(test.Mapping.TryWrite(1, out _));
            Assert.False(test.Mapping.TryRead(1, out _));
            (await writer.InTime()).Dispose();
        }

        Assert.Equal(0, test.Cache.GetStatistics().Steals);
    }

    /// <remarks>W-7.</remarks>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(100)]
    public async Task The_first_waiter_is_passed_exactly_as_often_as_the_limit_says(int limit)
    {
        await using TestCache test = await TestCache.OpenAsync(stealLimit: limit);
        PageReadLease held = test.Mapping.Read(1);
        Task<PageWriteLease> first = test.Mapping.WriteAsync(1).AsTask();
        Task<PageWriteLease> second = test.Mapping.WriteAsync(1).AsTask();
        List<PageReadLease> passed = [];
        while (test.Mapping.TryRead(1, out PageReadLease lease))
        {
            passed.Add(lease);
        }

        Assert.Equal(limit, passed.Count);
        Assert.Equal(limit, test.Cache.GetStatistics().Steals);
        Task<PageReadLease> reader = test.Mapping.ReadAsync(1).AsTask();
        Assert.False(reader.IsCompleted);
        passed.ForEach(lease => lease.Dispose());
        held.Dispose();
        PageWriteLease write = await first.InTime();
        Assert.Equal(limit, test.Cache.GetStatistics().Steals);
        Assert.False(test.Mapping.TryRead(1, out _));
        write.Dispose();
        (await second.InTime()).Dispose();
        (await reader.InTime()).Dispose();
    }

    [Fact]
    public async Task Without_a_limit_the_first_waiter_can_be_passed_for_ever()
    {
        await using TestCache test = await TestCache.OpenAsync(stealLimit: int.MaxValue);
        PageReadLease held = test.Mapping.Read(1);
        Task<PageWriteLease> writer = test.Mapping.WriteAsync(1).AsTask();
        for (int i = 0; i < 10_000; i++)
        {
            Assert.True(test.Mapping.TryRead(1, out PageReadLease lease));
            lease.Dispose();
        }

        Assert.Equal(10_000, test.Cache.GetStatistics().Steals);
        Assert.False(writer.IsCompleted);
        held.Dispose();
        (await writer.InTime()).Dispose();
    }

    /// <summary>However the writers race, nobody passes the first waiter more often than the limit says (W-7).</summary>
    [Fact]
    public async Task Racing_writers_never_pass_the_first_waiter_too_often()
    {
        const int Limit = 3;
        await using TestCache test = await TestCache.OpenAsync(stealLimit: Limit);
        int[] passes = [0];
        Task[] tasks = [.. Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(
            () =>
            {
                for (int i = 0; i < 2000; i++)
                {
                    using PageWriteLease lease = test.Mapping.Write(1);
                    passes[0]++;
                }
            },
            TaskCreationOptions.LongRunning))];
        await Task.WhenAll(tasks).InTime();
        Assert.Equal(8000, passes[0]);
        PageCacheStatistics statistics = test.Cache.GetStatistics();
        Assert.True(statistics.Steals <= (long)Limit * Math.Max(1, statistics.Waits), $"{statistics.Steals} steals, {statistics.Waits} waits");
    }

    /// <remarks>W-8.</remarks>
    [Fact]
    public async Task A_wait_list_holds_up_neither_eviction_nor_truncation()
    {
        await using TestCache test = await TestCache.OpenAsync(stealLimit: 1);

        // A writer that is told of the free page keeps its place until it runs; here it runs only when the test lets it.
        await Task.Yield();
        PageWriteLease held = test.Mapping.Write(9);
        Task<PageReadLease>[] readers = [.. Enumerable.Range(0, 50).Select(_ => test.Mapping.ReadAsync(9).AsTask())];
        Task truncation = test.Mapping.TruncateAsync(4096).AsTask();
        Task<PageReadLease> late = test.Mapping.ReadAsync(9).AsTask();
        await Assert.ThrowsAsync<PageTruncatedException>(() => late.InTime());
        Assert.False(truncation.IsCompleted);
        held.Dispose();
        foreach (Task<PageReadLease> reader in readers)
        {
            try
            {
                (await reader.InTime()).Dispose();
            }
            catch (PageTruncatedException)
            {
            }
        }

        await truncation.InTime();
        Assert.False(test.IsResident(9));
    }

    /// <summary>The page leaves while a writer that was told to try again has not run yet: the writer brings it back (W-8).</summary>
    [Fact]
    public async Task A_page_with_a_waiter_that_has_not_run_yet_can_be_evicted()
    {
        await using TestCache test = await TestCache.OpenAsync(stealLimit: 8, inline: true);
        PageWriteLease gate = test.Mapping.Write(2);
        PageWriteLease held = test.Mapping.Write(9);
        Task<PageWriteLease> writer = test.Mapping.WriteAsync(9).AsTask();
        Task outer = Outer();
        gate.Dispose();
        await outer.InTime();
        using PageWriteLease lease = await writer.InTime();
        Assert.Equal(9, lease.Page);
        Assert.True(test.IsResident(9));

        async Task Outer()
        {
            using PageWriteLease inner = await test.Mapping.WriteAsync(2);

            // This runs inside the release of page 2, and so whoever is resumed now runs after it.
            held.Dispose();
            Assert.Equal(1, test.WaitersOf(9));
            test.Evict(9);
            Assert.Equal(0, test.WaitersOf(9));
        }
    }
}
