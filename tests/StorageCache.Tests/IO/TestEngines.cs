using StorageCache.IO;

namespace StorageCache.Tests.IO;

/// <summary>
/// Engines for tests that are to hold on each: the one that a cache would choose. The whole suite is run several times, with the native
/// library, with it and without io_uring, and without it.
/// </summary>
internal static class TestEngines
{
    public static IIoEngine Create(int threads) =>
        IoEngines.Create(new PageCacheOptions { MemoryLimit = 1 << 20, IoThreads = threads, IoQueueDepth = 4 });
}
