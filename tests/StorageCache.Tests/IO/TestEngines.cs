using StorageCache.IO;
using StorageCache.IO.Ring;
using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>
/// Engines for tests that are to hold on each: the one that a cache would choose. The whole suite is run several times, with the native
/// library, with it and without io_uring, and without it.
/// </summary>
internal static class TestEngines
{
    /// <summary>For a theory that is to hold on each engine by name: where there is no ring, its row is skipped, with the reason.</summary>
    public static IEnumerable<TheoryDataRow<IoEngine>> Each =>
        [new(IoEngine.Threads), new(IoEngine.IoUring) { Skip = RingAvailability.Reason }];

    /// <summary>The engines that there are.</summary>
    public static IoEngine[] Available => RingAvailability.Reason is null ? [IoEngine.Threads, IoEngine.IoUring] : [IoEngine.Threads];

    public static IIoEngine Create(int threads, IoEngine engine = IoEngine.Auto) => IoEngines.Create(
        new PageCacheOptions { MemoryLimit = 1 << 20, IoEngine = engine, IoThreads = threads, IoQueueDepth = 4 },
        batches: null,
        out _);
}
