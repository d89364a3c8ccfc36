using StorageCache.KeyValueStore.Logging;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Logging;

/// <summary>By itself, as it counts what the whole process allocates.</summary>
[CollectionDefinition(nameof(LogAllocationTests), DisableParallelization = true)]
[Collection(nameof(LogAllocationTests))]
public class LogAllocationTests
{
    /// <summary>LOG-21.</summary>
    [Fact]
    public async Task Commits_in_steady_state_allocate_next_to_nothing()
    {
        await using StorageCache.IO.MemoryBlockDevice memory = new("memory");
        await using WriteAheadLog log = await LogBench.StartAsync(memory, new LogOptions { SegmentBytes = 4 << 20 });
        long least = long.MaxValue;
        for (int round = 0; round < 20 && least > 0; round++)
        {
            least = Math.Min(least, await Task.Run(() => Count(log)));
        }

        // A commit is two transfers, their hops by way of the thread pool, and a waiter's. Pooled boxes of asynchronous methods are not always found again.
        Assert.True(least < 200 * 256, $"200 commits have allocated {least} bytes.");
    }

    private static long Count(WriteAheadLog log)
    {
        byte[] payload = new byte[100];
        using CancellationTokenSource cancel = new();
        long size = WriteAheadLog.SizeOf(payload.Length);
        long before = 0;
        for (int i = -50; i < 200; i++)
        {
            before = i == 0 ? GC.GetTotalAllocatedBytes(precise: true) : before;
            Done(log.ReserveAsync(size));
            ulong lsn = log.Append(1, payload);
            log.Publish();
            ValueTask wait = log.EnsureDurableAsync(lsn, cancel.Token);
            Done(wait);
        }

        return GC.GetTotalAllocatedBytes(precise: true) - before;
    }

    private static void Done(ValueTask task)
    {
        SpinWait spin = default;
        while (!task.IsCompleted)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }

        task.GetAwaiter().GetResult();
    }
}
