namespace StorageCache;

/// <summary>
/// What a cache has done since it was made, and what it holds. A snapshot: numbers may be of slightly different moments
/// while the cache is in use, and are exact when it is not.
/// </summary>
public readonly record struct PageCacheStatistics
{
    /// <summary>Look-ups that found the page in memory. A lease that is taken from a pin looks nothing up, and is not counted.</summary>
    public long Hits { get; init; }

    /// <summary>Look-ups that had to bring the page in. Those who joined a load that was under way count as hits, and as waits.</summary>
    public long Misses { get; init; }

    /// <summary>Pages that were made without reading them.</summary>
    public long NewPages { get; init; }

    /// <summary>Pages taken out of memory to make room.</summary>
    public long Evictions { get; init; }

    /// <summary>Misses on pages that had been evicted only shortly before.</summary>
    public long Refaults { get; init; }

    /// <summary>Pages whose reading began before they were asked for: by read-ahead, <see cref="Mapping.Prefetch"/> and read streams.</summary>
    public long PrefetchedPages { get; init; }

    /// <summary>Pages of these that were evicted before anybody had read them.</summary>
    public long PrefetchedPagesUnused { get; init; }

    /// <summary>Read requests completed by devices; one may bring a run of pages.</summary>
    public long Reads { get; init; }

    /// <summary>Bytes that they brought.</summary>
    public long BytesRead { get; init; }

    /// <summary>Write requests completed by devices.</summary>
    public long Writes { get; init; }

    /// <summary>Bytes that they took.</summary>
    public long BytesWritten { get; init; }

    /// <summary>Flushes of mappings that succeeded.</summary>
    public long Flushes { get; init; }

    /// <summary>How often somebody began to wait for a page.</summary>
    public long Waits { get; init; }

    /// <summary>How often a page that was released, or had been read, was handed on to those who waited for it.</summary>
    public long Wakes { get; init; }

    /// <summary>Waiters looked at in doing so.</summary>
    public long WaitersExamined { get; init; }

    /// <summary>How often a latch was taken past the first waiter.</summary>
    public long Steals { get; init; }

    /// <summary>How often somebody began to wait for a frame.</summary>
    public long FrameWaits { get; init; }

    /// <summary>How often a writer was paused because too many pages were dirty.</summary>
    public long ThrottledWrites { get; init; }

    /// <summary>How often a writer broke away from a protected frame onto a copy, for whatever reason.</summary>
    public long Breaks { get; init; }

    /// <summary>How often a writer found that nobody relied on a protected frame any more, and wrote it without a copy.</summary>
    public long ProtectionsLifted { get; init; }

    /// <summary>Frames that two pages or more have now.</summary>
    public long SharedFrames { get; init; }

    /// <summary>Bytes of memory that the pages in memory would take more now if each had a frame of its own, less the metadata of sharing.</summary>
    public long BytesSaved { get; init; }

    /// <summary>Misses and pages read ahead that took no read, because a page with the same place on the device was in memory.</summary>
    public long ReadsAvoided { get; init; }

    /// <summary>Pages that were hashed for sharing by content.</summary>
    public long PagesHashed { get; init; }

    /// <summary>Time that hashing has taken, of pages as they were read and by the scan, on whatever threads.</summary>
    public TimeSpan HashTime { get; init; }

    /// <summary>Pages that the background scan for equal pages has looked at.</summary>
    public long PagesScanned { get; init; }

    /// <summary>Processor time of the background scan.</summary>
    public TimeSpan ScanTime { get; init; }

    /// <summary>Read requests that failed, be it that the codec of their mapping has thrown. Pages that were found corrupt are not among them.</summary>
    public long ReadErrors { get; init; }

    /// <summary>Write requests that failed.</summary>
    public long WriteErrors { get; init; }

    /// <summary>Syncs that failed, each of which has made a mapping <see cref="MappingState.Failed"/>.</summary>
    public long SyncErrors { get; init; }

    /// <summary>How often a <see cref="MappingOptions.Log"/> was asked to become durable, because pages could not be written before.</summary>
    public long LogWaits { get; init; }

    /// <summary>How often it did not.</summary>
    public long LogErrors { get; init; }

    /// <summary>How often a page that was read was found to be corrupt by the codec of its mapping.</summary>
    public long CorruptPages { get; init; }

    /// <summary>Pages that are dirty, plus writes of pages under way.</summary>
    public long DirtyPages { get; init; }

    /// <summary>Pins that are held; a page that is pinned twice counts twice.</summary>
    public long PinsHeld { get; init; }

    /// <summary>Pages that are in memory.</summary>
    public long ResidentPages { get; init; }

    /// <summary>Pages that the memory limit has room for.</summary>
    public long FrameCapacity { get; init; }

    /// <summary>Bytes of native memory in use, metadata included.</summary>
    public long MemoryUsed { get; init; }

    /// <summary>Bytes of them that are metadata.</summary>
    public long MetadataBytes { get; init; }

    /// <summary>The limit in bytes.</summary>
    public long MemoryLimit { get; init; }

    /// <summary>Bytes of pages' memory that are registered with the kernel now; 0 without <see cref="PageCacheOptions.RegisterMemory"/>.</summary>
    public long RegisteredBytes { get; init; }

    /// <summary>
    /// Whether the kernel has refused to register more memory, as a rule because of <c>RLIMIT_MEMLOCK</c>. The cache asks for no more then,
    /// and goes on without for the rest.
    /// </summary>
    public bool IsRegistrationRefused { get; init; }

    /// <summary><see cref="Breaks"/> for each reason, in the order of <see cref="ProtectionReason"/>.</summary>
    internal long[]? BreaksByReason { get; init; }

    /// <summary>Refusals, in the order of <see cref="ProtectionRefusal"/>.</summary>
    internal long[]? RefusalsByReason { get; init; }

    /// <summary>How often a writer broke away for a reason.</summary>
    public long BreaksOf(ProtectionReason reason) => BreaksByReason is { } breaks && (uint)reason < (uint)breaks.Length ? breaks[(int)reason] : 0;

    /// <summary>How often a page was not protected, or its frame not shared, for a reason.</summary>
    public long RefusalsOf(ProtectionRefusal refusal) => RefusalsByReason is { } refusals && (uint)refusal < (uint)refusals.Length ? refusals[(int)refusal] : 0;
}
