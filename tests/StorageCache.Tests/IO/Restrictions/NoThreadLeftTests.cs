using System.Runtime.InteropServices;
using StorageCache.IO.Ring;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.IO.Restrictions;

/// <summary>A process that cannot start a thread at the moment at which one is needed.</summary>
public partial class NoThreadLeftTests
{
    private const string LimitVariable = "STORAGECACHE_NO_THREAD_LEFT";
    private const int MaximumProcesses = 6;

    [Fact]
    public Task A_ring_whose_loop_cannot_be_handed_over_waits_for_a_thread() =>
        new RestrictedProcess().OfAnotherUser().With(LimitVariable, "1")
            .RunAsync(typeof(NoThreadLeftTests), nameof(A_continuation_that_blocks_in_the_loop_loses_nothing));

    /// <summary>With the variable, while no thread can be started.</summary>
    [Fact]
    public async Task A_continuation_that_blocks_in_the_loop_loses_nothing()
    {
        Assert.SkipUnless(RingAvailability.Reason is null, RingAvailability.Reason ?? "");
        bool isLimited = Environment.GetEnvironmentVariable(LimitVariable) is not null;
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 1 << 20, IoEngine = IoEngine.IoUring, AllowSynchronousContinuations = true });
        MappingOptions options = new() { ReadOnly = true, Exclusive = false, AccessPattern = AccessPattern.Random };
        Mapping mapping = await cache.OpenAsync(typeof(NoThreadLeftTests).Assembly.Location, options);
        if (isLimited)
        {
            LimitThreads(0);
        }

        // Stays on this thread: there may be no other.
        Task reading = BlockInContinuationAsync(mapping);
        if (isLimited)
        {
            Wait.Until(() => cache.Core.Waiters.InUse == 2 || reading.IsCompleted, "the continuation to block");
            for (int i = 0; i < 100; i++)
            {
                // It is about to look for a thread. Should it take longer, the test proves nothing, and passes.
                Thread.Sleep(1);
            }

            LimitThreads(ulong.MaxValue);
        }

        await reading.InTime();
        (await mapping.ReadAsync(3).InTime()).Dispose();
        Assert.Equal(0, cache.Core.Waiters.InUse);
        await mapping.CloseAsync().InTime();
    }

    private static async Task BlockInContinuationAsync(Mapping mapping)
    {
        // Goes on in the loop, and waits there for what only the loop brings.
        (await mapping.ReadAsync(1).ConfigureAwait(false)).Dispose();
        ValueTask<PageReadLease> pending = mapping.ReadAsync(2);
        mapping.Read(2).Dispose();
        (await pending.ConfigureAwait(false)).Dispose();
    }

    private static unsafe void LimitThreads(ulong most)
    {
        ulong* limits = stackalloc ulong[2];
        Assert.Equal(0, getrlimit(MaximumProcesses, limits));
        limits[0] = Math.Min(most, limits[1]);
        Assert.Equal(0, setrlimit(MaximumProcesses, limits));
    }

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int getrlimit(int resource, ulong* limits);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int setrlimit(int resource, ulong* limits);
}
