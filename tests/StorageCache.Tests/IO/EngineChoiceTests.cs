using StorageCache.IO.Ring;
using Xunit;

namespace StorageCache.Tests.IO;

public class EngineChoiceTests
{
    [Fact]
    public async Task The_best_engine_there_is_is_chosen_and_said()
    {
        await using PageCache cache = NewCache(IoEngine.Auto);
        Assert.Equal(RingAvailability.Reason is null ? IoEngine.IoUring : IoEngine.Threads, cache.Capabilities.IoEngine);
        Assert.Equal(RingAvailability.Reason, cache.Capabilities.NoIoUring);
        Assert.Contains(cache.Capabilities.IoEngine.ToString(), cache.Capabilities.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Threads_can_be_asked_for_by_name_anywhere()
    {
        await using PageCache cache = NewCache(IoEngine.Threads);
        Assert.Equal(IoEngine.Threads, cache.Capabilities.IoEngine);
        Assert.Equal(RingAvailability.Reason, cache.Capabilities.NoIoUring);
    }

    [Fact]
    public async Task A_ring_that_is_asked_for_by_name_is_had_or_its_absence_explained()
    {
        if (RingAvailability.Reason is { } reason)
        {
            IoEngineUnavailableException error = Assert.Throws<IoEngineUnavailableException>(() => NewCache(IoEngine.IoUring));
            Assert.Equal(IoEngine.IoUring, error.Engine);
            Assert.Equal(reason, error.Reason);
            Assert.Equal($"The I/O engine IoUring is not available: {reason}", error.Message);
            return;
        }

        await using PageCache cache = NewCache(IoEngine.IoUring);
        Assert.Equal(IoEngine.IoUring, cache.Capabilities.IoEngine);
    }

    [Fact]
    public async Task Why_no_memory_is_registered_is_said()
    {
        await using PageCache notAsked = NewCache(IoEngine.Auto);
        Assert.Contains("not asked for", notAsked.Capabilities.NoRegisteredMemory, StringComparison.Ordinal);
        await using PageCache threads = new(new PageCacheOptions { MemoryLimit = 1 << 20, IoEngine = IoEngine.Threads, RegisterMemory = true });
        Assert.Contains("Threads", threads.Capabilities.NoRegisteredMemory, StringComparison.Ordinal);
        Assert.Contains(threads.Capabilities.NoRegisteredMemory!, threads.Capabilities.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, threads.GetStatistics().RegisteredBytes);
        Assert.False(threads.GetStatistics().IsRegistrationRefused);
    }

    private static PageCache NewCache(IoEngine engine) => new(new PageCacheOptions { MemoryLimit = 1 << 20, IoEngine = engine });
}
