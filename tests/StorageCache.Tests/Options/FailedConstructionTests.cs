using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Options;

/// <summary>A cache that could not be made leaves nothing behind. Alone, for it counts what the process has.</summary>
[Collection(nameof(Alone))]
public class FailedConstructionTests
{
    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public void A_cache_that_cannot_be_made_leaves_no_ring_and_no_thread_behind(IoEngine engine)
    {
        PageCacheOptions options = new() { MemoryLimit = TestCache.Smallest, IoEngine = engine, TimeProvider = new TimeWithoutTimers() };
        long before = Count();
        for (int i = 0; i < 5; i++)
        {
            Assert.Throws<InsufficientMemoryException>(() => new PageCache(options));
        }

        Wait.Until(() => Count() <= before, "what five caches had begun to end");
    }

    /// <summary>Threads of caches, by the beginning of the name that the kernel keeps, and rings.</summary>
    private static long Count()
    {
        long count = 0;
        foreach (string task in Directory.EnumerateDirectories("/proc/self/task"))
        {
            try
            {
                count += File.ReadAllText(Path.Combine(task, "comm")).StartsWith("StorageCache", StringComparison.Ordinal) ? 1 : 0;
            }
            catch (IOException)
            {
                // It has ended.
            }
        }

        foreach (string descriptor in Directory.EnumerateFiles("/proc/self/fd"))
        {
            count += new FileInfo(descriptor).LinkTarget?.Contains("io_uring", StringComparison.Ordinal) == true ? 1 : 0;
        }

        return count;
    }

    /// <summary>Fails a cache when its engine is there already.</summary>
    private sealed class TimeWithoutTimers : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            throw new InsufficientMemoryException("no timers");
    }
}
