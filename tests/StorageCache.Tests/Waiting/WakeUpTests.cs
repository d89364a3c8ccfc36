using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Waiting;

public class WakeUpTests
{
    /// <summary>Seeded rounds of a release racing an enqueue, for each kind of latch and both kinds of waiter (W-1).</summary>
    [Theory]
    [InlineData(0, 1)]
    [InlineData(8, 2)]
    [InlineData(int.MaxValue, 3)]
    public async Task No_wake_up_is_lost(int stealLimit, int seed)
    {
        await using TestCache test = await TestCache.OpenAsync(stealLimit: stealLimit);
        Random random = new(seed);
        Mapping m = test.Mapping;
        int round = 0;
        int answered = 0;
        int kind = 0;
        int spins = 0;
        bool stop = false;
        Thread waiter = new(() =>
        {
            int seen = 0;
            while (true)
            {
                SpinWait spin = default;
                while (Volatile.Read(ref round) == seen)
                {
                    if (Volatile.Read(ref stop))
                    {
                        return;
                    }

                    spin.SpinOnce(-1);
                }

                seen++;
                Thread.SpinWait(spins);
                switch (kind)
                {
                    case 0:
                        m.Read(1).Dispose();
                        break;
                    case 1:
                        m.Write(1).Dispose();
                        break;
                    case 2:
                        m.ReadAsync(1).AsTask().Result.Dispose();
                        break;
                    default:
                        m.WriteAsync(1).AsTask().Result.Dispose();
                        break;
                }

                Volatile.Write(ref answered, seen);
            }
        });
        waiter.Start();
        for (int i = 1; i <= 500; i++)
        {
            kind = random.Next(4);
            spins = random.Next(300);
            int mine = random.Next(300);
            if (random.Next(3) == 0 && kind is 1 or 3)
            {
                PageReadLease held = m.Read(1);
                Volatile.Write(ref round, i);
                Thread.SpinWait(mine);
                held.Dispose();
            }
            else
            {
                PageWriteLease held = m.Write(1);
                Volatile.Write(ref round, i);
                Thread.SpinWait(mine);
                if (random.Next(4) == 0)
                {
                    held.Downgrade().Dispose();
                }
                else
                {
                    held.Dispose();
                }
            }

            Wait.Until(() => Volatile.Read(ref answered) == i, $"round {i}, kind {kind}");
        }

        Volatile.Write(ref stop, true);
        waiter.Join();
        test.AssertSound();
    }

    [Fact]
    public async Task Ten_thousand_readers_of_one_page_are_woken_once_each()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageWriteLease held = test.Mapping.Write(1);
        int[] served = new int[10_000];
        Task[] readers = [.. Enumerable.Range(0, served.Length).Select(ReadAsync)];
        long examined = test.Cache.GetStatistics().WaitersExamined;
        held.Dispose();
        await Task.WhenAll(readers).InTime();
        Assert.All(served, count => Assert.Equal(1, count));
        Assert.Equal(10_000, test.Cache.GetStatistics().WaitersExamined - examined);
        test.AssertSound();

        async Task ReadAsync(int number)
        {
            using PageReadLease lease = await test.Mapping.ReadAsync(1);
            Interlocked.Increment(ref served[number]);
        }
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(8, false)]
    [InlineData(0, true)]
    public async Task Ten_thousand_writers_of_one_page_are_served_one_by_one(int stealLimit, bool inline)
    {
        await using TestCache test = await TestCache.OpenAsync(stealLimit: stealLimit, inline: inline);
        PageWriteLease held = test.Mapping.Write(1);
        int counter = 0;
        Task[] writers = [.. Enumerable.Range(0, 10_000).Select(_ => WriteAsync())];
        long examined = test.Cache.GetStatistics().WaitersExamined;
        held.Dispose();
        await Task.WhenAll(writers).InTime();
        Assert.Equal(10_000, counter);
        Assert.InRange(test.Cache.GetStatistics().WaitersExamined - examined, 10_000, 10_050);
        test.AssertSound();

        async Task WriteAsync()
        {
            using PageWriteLease lease = await test.Mapping.WriteAsync(1);
            counter++;
        }
    }

    /// <remarks>W-9: never those of another page.</remarks>
    [Fact]
    public async Task Ten_thousand_waiters_of_as_many_pages_cost_one_look_each()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 10_000, memory: 48 << 20);
        PageWriteLease[] held = [.. Enumerable.Range(0, 10_000).Select(page => test.Mapping.Write(page))];
        Task<PageReadLease>[] readers = [.. Enumerable.Range(0, 10_000).Select(page => test.Mapping.ReadAsync(page).AsTask())];
        for (int i = 0; i < held.Length; i++)
        {
            long examined = test.Cache.Core.Counters.WaitersExamined;
            held[i].Dispose();
            Assert.Equal(1, test.Cache.Core.Counters.WaitersExamined - examined);
        }

        foreach (Task<PageReadLease> reader in readers)
        {
            (await reader.InTime()).Dispose();
        }
    }

    [Fact]
    public async Task Readers_and_writers_mixed_exclude_each_other_and_nobody_is_left()
    {
        await using TestCache test = await TestCache.OpenAsync(stealLimit: 2);
        int readers = 0;
        int writers = 0;
        Task[] tasks = [.. Enumerable.Range(0, 8).Select(number => Task.Run(async () =>
        {
            Random random = new(number);
            for (int i = 0; i < 400; i++)
            {
                if (random.Next(3) == 0)
                {
                    using PageWriteLease lease = await test.Mapping.WriteAsync(1);
                    Assert.Equal(1, Interlocked.Increment(ref writers));
                    Assert.Equal(0, Volatile.Read(ref readers));
                    Interlocked.Decrement(ref writers);
                }
                else
                {
                    using PageReadLease lease = random.Next(2) == 0 ? test.Mapping.Read(1) : await test.Mapping.ReadAsync(1);
                    Interlocked.Increment(ref readers);
                    Assert.Equal(0, Volatile.Read(ref writers));
                    Interlocked.Decrement(ref readers);
                }
            }
        }))];
        await Task.WhenAll(tasks).InTime();
        test.AssertSound();
    }
}
