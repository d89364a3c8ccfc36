using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Frames;

public class FrameQueueTests
{
    /// <summary>
    /// Every one of many readers gets its page with a bounded number of wake-ups, and a bounded number of others looked at,
    /// however many wait (F-6). Their pages lie in many leaves, for which there is no memory either.
    /// </summary>
    [Theory]
    [InlineData(2_000, 1)]
    [InlineData(20_000, 1)]
    [InlineData(2_000, 100)]
    public async Task The_work_for_a_waiter_does_not_grow_with_their_number(int readers, int distance)
    {
        MemoryBlockDevice device = new("memory", 1L << 40);
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 1 << 20 });
        Mapping mapping = await cache.OpenAsync(device);
        List<PagePin> pins = Fill(mapping);
        Task[] tasks = new Task[readers];
        for (int i = 0; i < readers; i++)
        {
            tasks[i] = ReadAsync(1000 + (i * (long)distance));
        }

        Assert.All(tasks, task => Assert.False(task.IsCompleted));
        pins.ForEach(pin => pin.Dispose());
        await Task.WhenAll(tasks).InTime();

        // One wait for a frame; for some another for a leaf, and for the frame again.
        Assert.InRange(cache.GetStatistics().FrameWaits, readers, 4L * readers);
        Assert.InRange(cache.Core.FrameQueue.Steps, readers, 12L * readers);

        async Task ReadAsync(long page)
        {
            using PageReadLease lease = await mapping.ReadAsync(page).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// First come, first served, whatever each of them lacks: a frame, a head, or memory for the page table (F-5).
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(37)]
    [InlineData(600)]
    public async Task Those_who_wait_are_served_in_their_order(int distance)
    {
        // Continuations run in place, and all on the one thread that evicts, so the order is what the queue makes it.
        MemoryBlockDevice device = new("memory", 1L << 40);
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 1 << 20, AllowSynchronousContinuations = true });
        Mapping mapping = await cache.OpenAsync(device);
        List<PagePin> pins = Fill(mapping);
        List<int> order = [];
        Task[] tasks = [.. Enumerable.Range(0, 1_000).Select(ReadAsync)];
        pins.ForEach(pin => pin.Dispose());
        await Task.WhenAll(tasks).InTime();
        Assert.Equal(Enumerable.Range(0, 1_000), order);

        async Task ReadAsync(int number)
        {
            using PageReadLease lease = await mapping.ReadAsync(1000 + (number * (long)distance)).ConfigureAwait(false);
            order.Add(number);
        }
    }

    /// <summary>Reads that fail on the thread that hands frames out free their frames there: it does not go deeper in its stack each time.</summary>
    [Fact]
    public async Task Ten_thousand_failures_in_a_row_do_not_deepen_the_stack()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 20_000, memory: 1 << 20, inline: true);
        test.Device.Records = false;
        List<PagePin> pins = Fill(test.Mapping);
        test.Device.Fault = ScriptedDevice.Eio;
        Task<PageReadLease>[] readers = [.. Enumerable.Range(1_000, 10_000).Select(page => test.Mapping.ReadAsync(page).AsTask())];
        pins.ForEach(pin => pin.Dispose());
        foreach (Task<PageReadLease> reader in readers)
        {
            await Assert.ThrowsAsync<PageReadException>(() => reader.InTime());
        }
    }

    /// <summary>Those who claimed a page wait for a frame and those who wait to claim one: whoever gets a frame can use it (F-6).</summary>
    [Fact]
    public async Task Newcomers_do_not_take_the_heads_that_those_before_them_wait_for()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 4_000, memory: TestCache.Smallest);
        List<PagePin> pins = Fill(test.Mapping);
        Task[] readers = [.. Enumerable.Range(1_000, 1_000).Select(async page => (await test.Mapping.ReadAsync(page).ConfigureAwait(false)).Dispose())];
        Assert.InRange(test.Cache.Core.Heads.InUse, pins.Count, test.Cache.Core.Heads.Capacity - 8);
        pins.ForEach(pin => pin.Dispose());
        await Task.WhenAll(readers).InTime();
    }

    private static List<PagePin> Fill(Mapping mapping)
    {
        List<PagePin> pins = [];
        while (mapping.Prefetch(pins.Count, 1) == 1)
        {
            pins.Add(mapping.Pin(pins.Count));
        }

        return pins;
    }
}
