using StorageCache.Platform;

namespace StorageCache;

/// <summary>What a <see cref="PageCache"/> is made with. Checked by its constructor.</summary>
public sealed class PageCacheOptions
{
    /// <summary>
    /// The most native memory the cache uses, in bytes: frames and all metadata. A hard limit, from room for 64 pages up;
    /// can be changed at run time with <see cref="PageCache.ResizeAsync"/>. Required.
    /// </summary>
    public long MemoryLimit { get; init; }

    /// <summary>
    /// The largest limit that <see cref="PageCache.ResizeAsync"/> may set, in bytes; bounds the address space that is
    /// reserved. 0, the default, stands for the larger of <see cref="MemoryLimit"/> and the machine's memory.
    /// </summary>
    public long MaximumMemoryLimit { get; init; }

    /// <summary>Bytes per page: a power of two from 4,096 to 65,536. Default: 4,096.</summary>
    public int PageSize { get; init; } = 4096;

    /// <summary>How I/O is carried out. Default: <see cref="IoEngine.Auto"/>.</summary>
    public IoEngine IoEngine { get; init; } = IoEngine.Auto;

    /// <summary>
    /// The most dedicated I/O threads, 1 to 256: for all I/O with <see cref="IoEngine.Threads"/>, and with <see cref="IoEngine.IoUring"/> for
    /// what a ring has no operation for (changes of length, unaligned ends of files). Default: 16.
    /// </summary>
    public int IoThreads { get; init; } = 16;

    /// <summary>
    /// The most requests that the kernel has at once with <see cref="IoEngine.IoUring"/>, 1 to 4,096; further ones wait,
    /// first come, first served. Default: 256.
    /// </summary>
    public int IoQueueDepth { get; init; } = 256;

    /// <summary>
    /// The most that is read ahead of a sequential reader in one window, in bytes: 0 (nothing) to 64 MiB. Two windows may be under
    /// way for a reader; in a small cache a window is at most a sixteenth of it, and less where several readers share it. Less than a
    /// page counts as nothing. Default: 1 MiB.
    /// </summary>
    public long ReadAheadLimit { get; init; } = 1 << 20;

    /// <summary>
    /// How long a lease is waited for when the call names no time-out; then <see cref="LatchTimeoutException"/>. Above
    /// zero and at most 24 days, or infinite. Default: infinite.
    /// </summary>
    public TimeSpan LatchTimeout { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>
    /// How long a free frame is waited for when every frame is pinned, latched or dirty; then
    /// <see cref="CacheFullException"/>. Also how long closing waits for leases and pins; then <see cref="MappingBusyException"/>.
    /// Above zero and at most 24 days, or infinite. Default: 30 seconds.
    /// </summary>
    public TimeSpan FrameTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How often newcomers may take a latch past the first waiter before it is handed over strictly, 0 (always strictly)
    /// to <see cref="int.MaxValue"/> (never). Default: 8.
    /// </summary>
    public int StealLimit { get; init; } = 8;

    /// <summary>
    /// The part of all frames that may be dirty before write-back starts in the background, 0.01 to 0.9.
    /// Default: 0.1.
    /// </summary>
    public double DirtyBackgroundRatio { get; init; } = 0.10;

    /// <summary>
    /// The part of all frames that may be dirty before writers are paused for longest. They are paused, briefly at first, from
    /// halfway between <see cref="DirtyBackgroundRatio"/> and this. From <see cref="DirtyBackgroundRatio"/> to
    /// 0.95. Default: 0.4.
    /// </summary>
    public double DirtyLimitRatio { get; init; } = 0.40;

    /// <summary>
    /// The most writes of dirty pages under way at once, each of one page or of a run of neighbours, 1 to 4,096. More keep
    /// a fast device busier with scattered pages; fewer have reads wait less behind writes. They begin in batches, so that while
    /// there is enough to write between three quarters of them and all are under way. Whatever it is, a quarter of what the engine
    /// carries out at once (<see cref="IoQueueDepth"/>, or <see cref="IoThreads"/>) is left to reads, and not much more than 16 MiB
    /// are under way. Default: 128.
    /// </summary>
    public int WriteBackDepth { get; init; } = 128;

    /// <summary>
    /// How often write-back looks for dirty pages when nothing else makes it, 1 millisecond to 1 hour. Default: 5 seconds.
    /// </summary>
    public TimeSpan WriteBackInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Where code that awaited a lease goes on: on the thread pool (false, the default), or on the thread that released
    /// the latch or completed the I/O (true), unless that has a page in hand. With true a continuation must not block: it runs
    /// inside somebody else's release. With false it may, and a read that misses takes two to three times the processor time.
    /// </summary>
    public bool AllowSynchronousContinuations { get; init; }

    /// <summary>
    /// Whether to ask the kernel for 2 MiB memory pages, which make hits on large caches cheaper. They are not asked for
    /// below a limit of 64 MiB, where their grain would be felt. Default: true.
    /// </summary>
    public bool HugePages { get; init; } = true;

    /// <summary>
    /// Whether what is handed out for reading is a view of the pages' memory that cannot be written: a stray write through the pointer of a
    /// read lease or an optimistic read ends the process (<c>SIGSEGV</c>, or the runtime's abort) before it has changed a byte. Write leases
    /// give the other view. For development and tests, and where a lost process is better than a damaged file. It costs twice the
    /// address space and page tables; a call to the kernel for each page's memory, when that is first used; and 2 MiB memory pages, unless
    /// the machine gives them to shared memory (<c>/sys/kernel/mm/transparent_hugepage/shmem_enabled</c>), for the memory is shared memory
    /// (a <c>memfd</c>), and counts as such. Default: false.
    /// </summary>
    public bool Guarded { get; init; }

    /// <summary>
    /// Whether pages' memory is registered with the kernel where <see cref="IoEngine.IoUring"/> carries out the I/O (kernel 6.15), which
    /// makes transfers of single pages cheaper. Memory is registered in pieces of 2 MiB (larger in address space of more than 32 GiB), once all
    /// of a piece is in use, and no more than the memory limit. What is registered is pinned: the kernel does not swap, move or
    /// merge it, and counts it against <c>RLIMIT_MEMLOCK</c> of the user unless the process has <c>CAP_IPC_LOCK</c>; when that is reached
    /// other rings and caches of the user find it reached too, and the cache goes on without for the rest
    /// (<see cref="PageCacheStatistics.IsRegistrationRefused"/>). Without effect, said by
    /// <see cref="PageCacheCapabilities.NoRegisteredMemory"/>, where it cannot be had. Default: false.
    /// </summary>
    public bool RegisterMemory { get; init; }

    /// <summary>
    /// How many pages a second the background scan for equal pages looks at, 0 (no scan) to 10,000,000. It runs if a mapping's
    /// <see cref="SharingDomain.SharesContent"/>, and takes no more than <see cref="ScanCpuShare"/>. Default: 20,000.
    /// </summary>
    public int ScanPagesPerSecond { get; init; } = 20_000;

    /// <summary>The part of one core that the background scan for equal pages takes at most, 0.001 to 1. Default: 0.05.</summary>
    public double ScanCpuShare { get; init; } = 0.05;

    /// <summary>The clock for time-outs and intervals. Default: <see cref="TimeProvider.System"/>.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Where the cache's background work gets its turns from: threads, unless a simulation gives them.</summary>
    internal IBackgroundThreads Threads { get; init; } = BackgroundThreads.Instance;

    private const long MostMemory = 1L << 41;

    /// <summary>Checks every option.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Names the option, its value and the range.</exception>
    internal void Validate()
    {
        Check(PageSize is >= 4096 and <= 65536 && int.IsPow2(PageSize), nameof(PageSize), PageSize, "a power of two from 4096 to 65536 bytes");
        long least = CacheCore.LeastMemory(PageSize);
        Check(MemoryLimit >= least, nameof(MemoryLimit), MemoryLimit, $"at least {least} bytes with pages of {PageSize} bytes");
        Check(MaximumMemoryLimit == 0 || MaximumMemoryLimit >= MemoryLimit, nameof(MaximumMemoryLimit), MaximumMemoryLimit, $"0, or at least MemoryLimit ({MemoryLimit} bytes)");
        Check(MemoryLimit <= MostMemory, nameof(MemoryLimit), MemoryLimit, $"at most {MostMemory} bytes (2 TiB)");
        Check(MaximumMemoryLimit <= MostMemory, nameof(MaximumMemoryLimit), MaximumMemoryLimit, $"at most {MostMemory} bytes (2 TiB)");
        Check(Enum.IsDefined(IoEngine), nameof(IoEngine), IoEngine, "Auto, Threads or IoUring");
        Check(IoThreads is >= 1 and <= 256, nameof(IoThreads), IoThreads, "1 to 256 threads");
        Check(IoQueueDepth is >= 1 and <= 4096, nameof(IoQueueDepth), IoQueueDepth, "1 to 4096 requests");
        Check(ReadAheadLimit is >= 0 and <= 64 << 20, nameof(ReadAheadLimit), ReadAheadLimit, "0 to 67108864 bytes (64 MiB)");
        CheckTimeout(LatchTimeout, nameof(LatchTimeout));
        CheckTimeout(FrameTimeout, nameof(FrameTimeout));
        Check(StealLimit >= 0, nameof(StealLimit), StealLimit, "0 or more");
        Check(DirtyBackgroundRatio is >= 0.01 and <= 0.9, nameof(DirtyBackgroundRatio), DirtyBackgroundRatio, "0.01 to 0.9");
        Check(DirtyLimitRatio >= DirtyBackgroundRatio && DirtyLimitRatio <= 0.95, nameof(DirtyLimitRatio), DirtyLimitRatio, $"DirtyBackgroundRatio ({DirtyBackgroundRatio}) to 0.95");
        Check(WriteBackDepth is >= 1 and <= 4096, nameof(WriteBackDepth), WriteBackDepth, "1 to 4096 writes");
        Check(WriteBackInterval >= TimeSpan.FromMilliseconds(1) && WriteBackInterval <= TimeSpan.FromHours(1), nameof(WriteBackInterval), WriteBackInterval, "1 millisecond to 1 hour");
        Check(ScanPagesPerSecond is >= 0 and <= 10_000_000, nameof(ScanPagesPerSecond), ScanPagesPerSecond, "0 to 10000000 pages a second");
        Check(ScanCpuShare is >= 0.001 and <= 1, nameof(ScanCpuShare), ScanCpuShare, "0.001 to 1");
        ArgumentNullException.ThrowIfNull(TimeProvider, $"{nameof(PageCacheOptions)}.{nameof(TimeProvider)}");
    }

    /// <summary>Checks a time-out: above zero and at most 24 days, or infinite.</summary>
    internal static void CheckTimeout(TimeSpan timeout, string name) =>
        Check(
            timeout == Timeout.InfiniteTimeSpan || (timeout > TimeSpan.Zero && timeout <= TimeSpan.FromDays(24)),
            name,
            timeout,
            "above zero and at most 24 days, or Timeout.InfiniteTimeSpan");

    private static void Check<T>(bool valid, string name, T value, string range)
    {
        if (!valid)
        {
            throw new ArgumentOutOfRangeException(
                $"options.{name}",
                value,
                string.Create(System.Globalization.CultureInfo.InvariantCulture, $"PageCacheOptions.{name} is {value}; allowed: {range}."));
        }
    }
}
