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
    public void A_cache_that_cannot_be_made_leaves_no_ring_no_thread_and_no_memory_file_behind(IoEngine engine)
    {
        PageCacheOptions options = new() { MemoryLimit = TestCache.Smallest, IoEngine = engine, Guarded = true, TimeProvider = new TimeWithoutTimers() };
        long before = Count();
        for (int i = 0; i < 5; i++)
        {
            Assert.Throws<InsufficientMemoryException>(() => new PageCache(options));
        }

        Wait.Until(() => Count() <= before, "what five caches had begun to end");
    }

    /// <summary>A cache that is guarded takes no descriptor for its memory.</summary>
    [Fact]
    public void A_guarded_cache_keeps_no_memory_file_open_P_21()
    {
        long before = CountDescriptors("memfd:storagecache");
        using PageCache cache = new(new PageCacheOptions { MemoryLimit = TestCache.Smallest, Guarded = true });
        Assert.Equal(before, CountDescriptors("memfd:storagecache"));
    }

    /// <summary>Threads of caches, by the beginning of the name that the kernel keeps, rings, and memory with two views.</summary>
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

        return count + CountDescriptors("io_uring") + CountDescriptors("memfd:storagecache");
    }

    private static long CountDescriptors(string name) => Directory.EnumerateFiles("/proc/self/fd")
        .LongCount(descriptor => new FileInfo(descriptor).LinkTarget?.Contains(name, StringComparison.Ordinal) == true);

    /// <summary>Fails a cache when its engine is there already.</summary>
    private sealed class TimeWithoutTimers : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            throw new InsufficientMemoryException("no timers");
    }
}
