namespace StorageCache;

/// <summary>What a <see cref="PageCache"/> has found on this machine and in this process, and uses. Does not change while the cache lives.</summary>
public sealed class PageCacheCapabilities
{
    internal PageCacheCapabilities(IoEngine ioEngine, string? noIoUring, string? noNativeLibrary, string? noRegisteredMemory = null)
    {
        IoEngine = ioEngine;
        NoIoUring = noIoUring;
        NoNativeLibrary = noNativeLibrary;
        NoRegisteredMemory = noRegisteredMemory;
    }

    /// <summary>The engine that carries out the I/O of files; never <see cref="StorageCache.IoEngine.Auto"/>.</summary>
    public IoEngine IoEngine { get; }

    /// <summary>Why <see cref="StorageCache.IoEngine.IoUring"/> cannot be had, as a sentence; null if nothing is known against it.</summary>
    /// <remarks>
    /// Null does not say that a ring is in use; <see cref="IoEngine"/> says that. A cache that was asked for
    /// <see cref="StorageCache.IoEngine.Threads"/> makes no ring: there, null says that the process could have been given one when it
    /// first asked, and what only a full attempt finds out (no memory for the queues, a filter that lets a ring be made and not be used)
    /// is not known.
    /// </remarks>
    public string? NoIoUring { get; }

    /// <summary>Why the native library is not in use, as a sentence; null if it is.</summary>
    public string? NoNativeLibrary { get; }

    /// <summary>Why pages' memory is not registered with the kernel, as a sentence; null if it is as far as the kernel lets the cache.</summary>
    /// <remarks>How much is registered says <see cref="PageCacheStatistics.RegisteredBytes"/>.</remarks>
    public string? NoRegisteredMemory { get; }

    /// <summary>The same, and what has been found about registering memory.</summary>
    internal PageCacheCapabilities With(string? noRegisteredMemory) => new(IoEngine, NoIoUring, NoNativeLibrary, noRegisteredMemory);

    /// <summary>One line for a log.</summary>
    public override string ToString() =>
        $"I/O engine {IoEngine}, io_uring: {NoIoUring ?? "available."} Native library: {NoNativeLibrary ?? "loaded."} Registered memory: {NoRegisteredMemory ?? "in use."}";
}
