using StorageCache.IO.Ring;
using StorageCache.Platform.Native;

namespace StorageCache.IO;

/// <summary>Makes the engine that a cache asks for.</summary>
internal static class IoEngines
{
    /// <summary>Makes the engine that was asked for by name, or the best one there is, and says what was found.</summary>
    /// <param name="options">Engine, depth and threads.</param>
    /// <param name="batches">Hears of requests that complete together; null for nobody.</param>
    /// <param name="capabilities">What was found.</param>
    /// <exception cref="IoEngineUnavailableException">The one that was asked for is not to be had here.</exception>
    public static IIoEngine Create(PageCacheOptions options, ICompletionBatches? batches, out PageCacheCapabilities capabilities)
    {
        string? noRing = RingAvailability.Reason;
        IIoEngine? engine = null;
        if (options.IoEngine == IoEngine.IoUring || (options.IoEngine == IoEngine.Auto && noRing is null))
        {
            try
            {
                engine = new RingIoEngine(options.IoQueueDepth, options.IoThreads, batches);
            }
            catch (IoEngineUnavailableException error) when (options.IoEngine == IoEngine.Auto)
            {
                noRing = error.Reason;
            }
        }

        engine ??= new ThreadIoEngine(options.IoThreads);
        capabilities = new PageCacheCapabilities(engine.Kind, noRing, NativeLibraryLoader.Current.Reason);
        return engine;
    }
}
