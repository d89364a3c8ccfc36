using System.Runtime.CompilerServices;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Waiting;

/// <remarks>W-5: no continuation runs inside a critical section. W-14: none stands between another waiter and its end.</remarks>
public class InlineContinuationTests
{
    [Fact]
    public async Task A_continuation_may_latch_release_and_load_other_pages()
    {
        await using TestCache test = await TestCache.OpenAsync(inline: true);
        PageWriteLease first = test.Mapping.Write(1);
        PageWriteLease second = test.Mapping.Write(2);
        Task[] tasks = [.. Enumerable.Range(0, 100).Select(Run)];
        first.Dispose();
        second.Dispose();
        await Task.WhenAll(tasks).InTime();
        test.AssertSound();

        async Task Run(int number)
        {
            using (PageWriteLease lease = await test.Mapping.WriteAsync(1))
            {
                using PageReadLease loaded = await test.Mapping.ReadAsync(10 + (number % 50));
                test.Mapping.Read(10 + ((number + 7) % 50)).Dispose();
            }

            using PageWriteLease other = await test.Mapping.WriteAsync(2);
            test.Mapping.Write(3).Dispose();
            (await test.Mapping.WriteAsync(1)).Dispose();
        }
    }

    [Fact]
    public async Task A_continuation_of_a_load_may_latch_the_page_again()
    {
        await using TestCache test = await TestCache.OpenAsync(inline: true);
        test.Device.Hold = _ => true;
        Task[] tasks = [.. Enumerable.Range(0, 20).Select(_ => Run())];
        test.Device.ReleaseAll();
        await Task.WhenAll(tasks).InTime();

        async Task Run()
        {
            (await test.Mapping.ReadAsync(1)).Dispose();
            (await test.Mapping.WriteAsync(1)).Dispose();
            (await test.Mapping.ReadAsync(2)).Dispose();
        }
    }

    [Fact]
    public async Task A_hundred_thousand_hand_overs_in_a_row_do_not_deepen_the_stack()
    {
        await using TestCache test = await TestCache.OpenAsync(inline: true, stealLimit: 0);
        PageWriteLease held = test.Mapping.Write(1);
        int count = 0;
        Task[] tasks = [.. Enumerable.Range(0, 1000).Select(_ => Run())];
        held.Dispose();
        await Task.WhenAll(tasks).InTime();
        Assert.Equal(100_000, count);

        async Task Run()
        {
            for (int i = 0; i < 100; i++)
            {
                using PageWriteLease lease = await test.Mapping.WriteAsync(1);
                count++;
            }
        }
    }

    /// <summary>
    /// The end of too much dirt releases the writers who were paused for it, from inside the end of a page's write-back:
    /// they must not run with that page's list locked, which they may want themselves.
    /// </summary>
    [Fact]
    public async Task Throttled_writers_do_not_run_inside_the_end_of_a_write()
    {
        // The clock stands still, so no pause ends by itself.
        ManualTime time = new();
        await using TestCache test = await TestCache.OpenAsync(pages: 400, memory: TestCache.Smallest, inline: true, dirtyBackground: 0.02, dirtyLimit: 0.04, time: time);
        test.Device.Hold = call => call.Operation == StorageCache.IO.BlockOperation.Write;
        for (int page = 0; !test.Cache.Core.WriteBack.Throttle.IsActive; page++)
        {
            test.Fill(page, 1);
        }

        test.Cache.Core.WriteBack.Kick(urgent: true);
        test.Device.WaitForHeld(1);
        Task[] writers = [.. Enumerable.Range(0, 8).Select(Run)];
        Assert.All(writers, writer => Assert.False(writer.IsCompleted));
        Task release = Task.Factory.StartNew(test.Device.ReleaseAll, TaskCreationOptions.LongRunning);
        await release.InTime();
        Wait.Until(
            () =>
            {
                time.Advance(TimeSpan.FromMilliseconds(1));
                return writers.All(writer => writer.IsCompleted);
            },
            "the writers");
        await Task.WhenAll(writers);

        async Task Run(int number)
        {
            using PageWriteLease lease = await test.Mapping.WriteAsync(100 + number);

            // The pages whose write is just ending are protected still, and so this takes their lists' locks.
            for (int page = 0; page < 4; page++)
            {
                test.Mapping.Write(page).Dispose();
            }
        }
    }

    /// <summary>W-14: those who are resumed together go on, whatever the first one's continuation throws.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_continuation_that_throws_loses_nobody_behind_it(bool ofLoad)
    {
        await using TestCache test = await TestCache.OpenAsync(inline: true);
        test.Device.Hold = _ => ofLoad;
        PageWriteLease held = ofLoad ? default : test.Mapping.Write(1);
        int resumed = 0;
        for (int i = 0; i < 4; i++)
        {
            bool throws = i % 2 == 0;
            ValueTaskAwaiter<PageReadLease> wait = test.Mapping.ReadAsync(1).GetAwaiter();
            wait.UnsafeOnCompleted(() =>
            {
                wait.GetResult().Dispose();
                resumed++;
                if (throws)
                {
                    throw new InvalidTimeZoneException("thrown by a continuation");
                }
            });
        }

        Action release = ofLoad ? test.Device.ReleaseAll : () => held.Dispose();
        Assert.Throws<InvalidTimeZoneException>(release);
        Assert.Equal(4, resumed);
    }

    /// <summary>W-14: what stands behind a continuation that blocks on the cache may hold what it waits for.</summary>
    [Fact]
    public async Task A_continuation_may_block_for_a_latch_that_one_behind_it_was_given()
    {
        await using TestCache test = await TestCache.OpenAsync(inline: true);
        test.Device.Hold = _ => true;
        Task[] readers = [ReadAsync(true), ReadAsync(false), ReadAsync(true)];
        Task release = Task.Factory.StartNew(test.Device.ReleaseAll, TaskCreationOptions.LongRunning);
        await Task.WhenAll([.. readers, release]).InTime();

        async Task ReadAsync(bool thenWrites)
        {
            (await test.Mapping.ReadAsync(1)).Dispose();
            if (thenWrites)
            {
                test.Mapping.Write(1).Dispose();
            }
        }
    }
}
