using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using StorageCache.Waiting;
using Xunit;

namespace StorageCache.Tests.Waiting;

/// <remarks>W-12: no continuation stands between those behind it and the thread pool.</remarks>
[Collection(nameof(Alone))]
public class PooledResumptionTests
{
    /// <summary>While the pool has no thread, one work item stands for all that is resumed; with threads, a few do for a thousand.</summary>
    [Fact]
    public async Task A_thousand_waiters_that_are_resumed_together_cost_a_few_work_items()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 400);
        PooledResumption resumptions = test.Cache.Core.Resumptions;
        PageWriteLease[] held = [.. Enumerable.Range(0, 201).Select(page => test.Mapping.Write(page))];
        Task[] readers = [.. Enumerable.Range(0, 1000).Select(number => ReadAsync(test.Mapping, number < 800 ? 0 : number - 799))];
        using (StarvedThreadPool starved = new())
        {
            Array.ForEach(held, lease => lease.Dispose());
            Assert.Equal(1, resumptions.WorkItems);
        }

        Task all = Task.WhenAll(readers);
        Wait.Until(() => all.IsCompleted, "all to run");
        await all;
        Assert.InRange(resumptions.WorkItems, 1, 100);
    }

    /// <summary>The same for reads of a file that complete, however many of them the engine finds at once.</summary>
    [Fact]
    public async Task A_hundred_reads_that_complete_meanwhile_cost_a_few_work_items()
    {
        using ScratchDirectory directory = new();
        await File.WriteAllBytesAsync(directory.File("a"), new byte[100 * 4096]);
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 4 << 20 });
        Mapping mapping = await cache.OpenAsync(directory.File("a"));
        PooledResumption resumptions = cache.Core.Resumptions;
        Task[] readers;
        using (StarvedThreadPool starved = new())
        {
            readers = [.. Enumerable.Range(0, 100).Select(page => ReadAsync(mapping, page))];
            Wait.Until(() => cache.GetStatistics().ResidentPages == 100, "the reads to complete");
            Wait.Until(() => resumptions.WorkItems > 0, "a work item");
            Assert.Equal(1, resumptions.WorkItems);
        }

        Task all = Task.WhenAll(readers);
        Wait.Until(() => all.IsCompleted, "all to run");
        await all;
        Assert.InRange(resumptions.WorkItems, 1, 50);
        await mapping.CloseAsync().InTime();
    }

    /// <summary>Each continuation but the last blocks its thread until the one behind it has run.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_continuation_may_block_on_those_behind_it(bool reads)
    {
        const int Count = 8;
        using PoolThreads threads = new(Count + 4);
        await using TestCache test = await TestCache.OpenAsync();
        bool[] done = new bool[Count];
        PageWriteLease held = default;
        if (reads)
        {
            test.Device.Hold = _ => true;
        }
        else
        {
            held = test.Mapping.Write(0);
        }

        Task[] tasks = [.. Enumerable.Range(0, Count).Select(RunAsync)];
        if (reads)
        {
            test.Device.ReleaseAll();
        }
        else
        {
            held.Dispose();
        }

        Task all = Task.WhenAll(tasks);
        Wait.Until(() => all.IsCompleted, "all to run");
        await all;

        async Task RunAsync(int number)
        {
            using PageReadLease lease = await test.Mapping.ReadAsync(reads ? number : 0).ConfigureAwait(false);
            if (number + 1 < Count)
            {
                Wait.Until(() => Volatile.Read(ref done[number + 1]), $"the continuation behind {number}");
            }

            Volatile.Write(ref done[number], true);
        }
    }

    /// <summary>
    /// Waiters from two threads at once, some of which block until another one has run that came later. A work item that is not
    /// scheduled when it should be leaves one of them waiting for ever.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Nobody_is_left_whatever_the_continuations_block_on(int seed)
    {
        const int PerThread = 6;
        using PoolThreads threads = new((2 * PerThread) + 4);
        Random random = new(seed);
        PooledResumption resumptions = new(TimeProvider.System);
        ActionWaiter[] waiters = [.. Enumerable.Range(0, 2 * PerThread).Select(_ => new ActionWaiter(resumptions))];
        for (int round = 0; round < 2000; round++)
        {
            int left = waiters.Length;
            bool[] ran = new bool[waiters.Length];
            bool holds = random.Next(2) == 0;
            for (int i = 0; i < waiters.Length; i++)
            {
                // A thread's own waiters stand in order; what is blocked on stands behind, so that nobody waits in a circle.
                int number = i;
                int last = number < PerThread ? PerThread - 1 : waiters.Length - 1;
                int other = number < last && random.Next(3) == 0 ? random.Next(number + 1, last + 1) : -1;
                int spins = random.Next(100);
                waiters[i].Action = () =>
                {
                    Thread.SpinWait(spins);
                    if (other >= 0)
                    {
                        Wait.Until(() => Volatile.Read(ref ran[other]), $"waiter {other} to run, which stands behind {number}");
                    }

                    Volatile.Write(ref ran[number], true);
                    Interlocked.Decrement(ref left);
                };
            }

            Thread thread = new(() => Resume(0));
            thread.Start();
            Resume(PerThread);
            thread.Join();
            Wait.Until(() => Volatile.Read(ref left) == 0, $"round {round} of seed {seed}");

            void Resume(int first)
            {
                if (holds)
                {
                    PooledResumption.Hold();
                }

                for (int i = first; i < first + PerThread; i++)
                {
                    waiters[i].Resume();
                }

                PooledResumption.Release();
            }
        }
    }

    /// <summary>
    /// One waiter blocks until another one has run, which comes at about the time at which the work item that took the first is
    /// finding out whether there are more, or later.
    /// </summary>
    [Fact]
    public void A_waiter_that_comes_while_another_one_blocks_is_not_held_up()
    {
        using PoolThreads threads = new(6);
        Random random = new(1);
        PooledResumption resumptions = new(TimeProvider.System);
        ActionWaiter first = new(resumptions);
        ActionWaiter second = new(resumptions);
        int begun = 0;
        int over = 0;
        first.Action = () =>
        {
            Wait.Until(() => Volatile.Read(ref begun) != 0, "the waiter that came later");
            Volatile.Write(ref over, 1);
        };
        second.Action = () => Volatile.Write(ref begun, 1);
        for (int round = 0; round < 20_000; round++)
        {
            begun = 0;
            over = 0;
            int spins = random.Next(200);
            first.Resume();
            Thread.SpinWait(spins);
            second.Resume();
            Wait.Until(() => Volatile.Read(ref over) != 0, $"round {round}");
        }
    }

    /// <summary>What is resumed for two caches between holding and releasing reaches both.</summary>
    [Fact]
    public void Holding_is_for_all_caches()
    {
        PooledResumption[] resumptions = [new(TimeProvider.System), new(TimeProvider.System)];
        using CountdownEvent left = new(6);
        PooledResumption.Hold();
        for (int i = 0; i < 6; i++)
        {
            new ActionWaiter(resumptions[i % 2]) { Action = () => left.Signal() }.Resume();
        }

        PooledResumption.Release();
        Wait.Until(() => left.IsSet, "all to run");
    }

    /// <summary>As with work items of their own: a continuation starts on a thread that is as the pool gave it.</summary>
    [Fact]
    public void A_continuation_finds_nothing_that_another_one_left_on_the_thread()
    {
        AsyncLocal<int> local = new();
        PooledResumption resumptions = new(TimeProvider.System);
        using CountdownEvent left = new(1000);
        int found = 0;
        PooledResumption.Hold();
        for (int i = 1; i <= 1000; i++)
        {
            int number = i;
            new ActionWaiter(resumptions)
            {
                Action = () =>
                {
                    if (local.Value != 0 || SynchronizationContext.Current is not null)
                    {
                        Interlocked.Increment(ref found);
                    }

                    local.Value = number;
                    SynchronizationContext.SetSynchronizationContext(new SynchronizationContext());
                    left.Signal();
                },
            }.Resume();
        }

        PooledResumption.Release();
        Wait.Until(() => left.IsSet, "all to run");
        Assert.Equal(0, found);
    }

    private static async Task ReadAsync(Mapping mapping, long page) => (await mapping.ReadAsync(page).ConfigureAwait(false)).Dispose();

    /// <summary>A waiter that goes on with something of the test's.</summary>
    private sealed class ActionWaiter(PooledResumption pooled) : Waiter(1, TimeProvider.System, pooled)
    {
        public Action Action { get; set; } = () => { };

        public void Resume()
        {
            Prepare(Timeout.InfiniteTimeSpan, CancellationToken.None);
            Arm();
            Assert.True(TryResume(WaitOutcome.Granted));
            Dispatch();
        }

        public override void Run()
        {
            Action action = Action;
            Finish();
            action();
        }
    }

    /// <summary>Has the pool start so many threads without delay, until it is disposed of.</summary>
    private sealed class PoolThreads : IDisposable
    {
        private readonly int _workers;
        private readonly int _completion;

        public PoolThreads(int count)
        {
            ThreadPool.GetMinThreads(out _workers, out _completion);
            ThreadPool.SetMinThreads(count, _completion);
        }

        public void Dispose() => ThreadPool.SetMinThreads(_workers, _completion);
    }
}
