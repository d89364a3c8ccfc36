using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Leases;

/// <summary>Nothing is allocated on the managed heap by a hit, nor in steady state by a miss or a wait.</summary>
[Collection(nameof(Alone))]
public class AllocationTests
{
    public static TheoryData<string, Action<Mapping>> Hits => new()
    {
        { "read", mapping => mapping.Read(1).Dispose() },
        { "try read", mapping => { mapping.TryRead(1, out PageReadLease lease); lease.Dispose(); } },
        { "read async", mapping => mapping.ReadAsync(1).GetAwaiter().GetResult().Dispose() },
        { "read async, time-out", mapping => mapping.ReadAsync(1, TimeSpan.FromSeconds(9)).GetAwaiter().GetResult().Dispose() },
        { "write", mapping => mapping.Write(1).Dispose() },
        { "try write", mapping => { mapping.TryWrite(1, out PageWriteLease lease); lease.Dispose(); } },
        { "write async", mapping => mapping.WriteAsync(1).GetAwaiter().GetResult().Dispose() },
        { "write and mark dirty", mapping => { using PageWriteLease lease = mapping.Write(1); lease.MarkDirty(9); } },
        { "downgrade", mapping => mapping.Write(1).Downgrade().Dispose() },
        { "pin", mapping => mapping.Pin(1).Dispose() },
        { "pin async", mapping => mapping.PinAsync(1).GetAwaiter().GetResult().Dispose() },
        { "read through a pin", mapping => { using PagePin pin = mapping.Pin(1); pin.Read().Dispose(); pin.Write().Dispose(); pin.ReadAsync().GetAwaiter().GetResult().Dispose(); } },
        { "optimistic", mapping => mapping.ReadOptimistic(1).Validate() },
        { "optimistic async", mapping => mapping.ReadOptimisticAsync(1).GetAwaiter().GetResult().Validate() },
        { "upgrade", mapping => { mapping.ReadOptimistic(1).TryUpgrade(out PageWriteLease lease); lease.Dispose(); } },
        { "new", mapping => mapping.WriteNew(1).Dispose() },
        { "new async", mapping => mapping.WriteNewAsync(1).GetAwaiter().GetResult().Dispose() },
    };

    [Theory]
    [MemberData(nameof(Hits), DisableDiscoveryEnumeration = true)]
    public async Task A_hit_allocates_nothing(string name, Action<Mapping> hit)
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Mapping.Read(1).Dispose();
        for (int i = 0; i < 200; i++)
        {
            hit(test.Mapping);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 2000; i++)
        {
            hit(test.Mapping);
        }

        Assert.True(GC.GetAllocatedBytesForCurrentThread() == before, name);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_miss_on_a_device_in_memory_allocates_nothing_in_steady_state(bool async)
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 3000, memory: TestCache.Smallest, inline: true);
        test.Device.Records = false;
        AssertNothing(2000, i =>
        {
            if (async)
            {
                ValueTask<PageReadLease> task = test.Mapping.ReadAsync(i % 3000);
                Finish(ref task).Dispose();
            }
            else
            {
                test.Mapping.Read(i % 3000).Dispose();
            }
        });
        Assert.True(test.Cache.GetStatistics().Evictions > 1000);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task A_miss_on_a_file_allocates_nothing_in_steady_state(bool async, bool inline)
    {
        using ScratchDirectory directory = new();
        using (FileStream file = File.Create(directory.File("a")))
        {
            file.SetLength(1000 * 4096);
        }

        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = TestCache.Smallest, AllowSynchronousContinuations = inline, IoThreads = 1 });
        Mapping mapping = await cache.OpenAsync(directory.File("a"));
        AssertNothing(600, i =>
        {
            if (async)
            {
                ValueTask<PageReadLease> task = mapping.ReadAsync(i % 1000);
                Finish(ref task).Dispose();
            }
            else
            {
                mapping.Read(i % 1000).Dispose();
            }
        });
        Assert.True(cache.GetStatistics().Evictions > 300);
    }

    /// <remarks>RA-7.</remarks>
    [Theory]
    [InlineData(AccessPattern.Normal)]
    [InlineData(AccessPattern.Sequential)]
    public async Task Reading_ahead_allocates_nothing_in_steady_state(AccessPattern pattern)
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 30_000, memory: 8 << 20, pattern: pattern);
        test.Device.Records = false;
        AssertNothing(10_000, i => test.Mapping.Read(i * 13L / 10 % 30_000).Dispose());
        long next = 0;
        AssertNothing(10_000, _ => test.Mapping.Read(next++ % 30_000).Dispose());
        Assert.True(test.Cache.GetStatistics().PrefetchedPages > 5000);
    }

    /// <remarks>RA-7.</remarks>
    [Fact]
    public async Task A_read_stream_allocates_nothing_in_steady_state()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 30_000, memory: 8 << 20, inline: true);
        test.Device.Records = false;
        using PageReadStream stream = test.Mapping.OpenReadStream(Numbers(), new PageReadStreamOptions { Scan = true });
        AssertNothing(10_000, i =>
        {
            if (i % 2 == 0)
            {
                stream.MoveNext();
            }
            else
            {
                ValueTask<bool> move = stream.MoveNextAsync();
                Assert.True(Finish(ref move));
            }
        });

        static IEnumerable<long> Numbers()
        {
            for (long page = 0; ; page = (page + 7) % 30_000)
            {
                yield return page;
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_wait_of_awaiting_code_allocates_nothing_in_steady_state(bool inline)
    {
        await using TestCache test = await TestCache.OpenAsync(inline: inline);
        AssertNothing(1000, i =>
        {
            PageWriteLease held = test.Mapping.Write(1);
            ValueTask<PageReadLease> reader = test.Mapping.ReadAsync(1);
            ValueTask<PageReadLease> second = test.Mapping.ReadAsync(1, TimeSpan.FromSeconds(100));
            ValueTask<PageWriteLease> writer = test.Mapping.WriteAsync(1);
            held.Dispose();
            Finish(ref reader).Dispose();
            Finish(ref second).Dispose();
            Finish(ref writer).Dispose();
        });
    }

    [Fact]
    public async Task A_wait_of_a_blocked_thread_allocates_nothing_in_steady_state()
    {
        await using TestCache test = await TestCache.OpenAsync(stealLimit: 0);
        bool stop = false;
        Thread other = new(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                test.Mapping.Write(1).Dispose();
            }
        });
        other.Start();
        try
        {
            AssertNothing(300, _ =>
            {
                PageWriteLease held = test.Mapping.Write(1);
                SpinWait spin = default;
                while (test.WaitersOf(1) == 0)
                {
                    spin.SpinOnce(-1);
                }

                held.Dispose();
            });
        }
        finally
        {
            Volatile.Write(ref stop, true);
            other.Join();
        }

        Assert.True(test.Cache.GetStatistics().Waits > 300);
    }

    /// <summary>
    /// Counts what the whole process allocates; other threads of the runtime may get in the way now and then, so the
    /// least of several batches counts.
    /// </summary>
    private static void AssertNothing(int count, Action<int> action)
    {
        int i = 0;
        for (; i < count; i++)
        {
            action(i);
        }

        long least = long.MaxValue;
        for (int batch = 0; batch < 6 && least > 0; batch++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int end = i + count; i < end; i++)
            {
                action(i);
            }

            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }

        // A single operation that allocated would allocate in each of the batches.
        Assert.True(least < count, $"{least} bytes for {count} operations");
    }

    private static T Finish<T>(ref ValueTask<T> task)
    {
        SpinWait spin = default;
        while (!task.IsCompleted)
        {
            spin.SpinOnce();
        }

        return task.GetAwaiter().GetResult();
    }
}
