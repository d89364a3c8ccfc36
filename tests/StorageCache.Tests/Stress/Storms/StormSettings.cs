namespace StorageCache.Tests.Stress.Storms;

/// <summary>What one round of the storm runs on, all of it drawn from the seed but the file system.</summary>
internal sealed record StormSettings
{
    public required int Seed { get; init; }

    public required string FileSystem { get; init; }

    public int PageSize { get; init; }

    /// <summary>The memory limit at first, in multiples of the least there can be.</summary>
    public int Memory { get; init; }

    public bool IsHardened { get; init; }

    public bool IsGuarded { get; init; }

    public bool SharesContent { get; init; }

    public bool ContinuesInline { get; init; }

    public IoEngine Engine { get; init; }

    public int StealLimit { get; init; }

    public int WriteBackMilliseconds { get; init; }

    public long LeastMemory => CacheCore.LeastMemory(PageSize);

    public static StormSettings Draw(string fileSystem, int seed)
    {
        Random random = new(seed);
        return new StormSettings
        {
            Seed = seed,
            FileSystem = fileSystem,
            PageSize = random.Next(3) == 0 ? 16384 : 4096,
            Memory = 1 + random.Next(3),
            IsHardened = random.Next(2) == 0,
            IsGuarded = random.Next(2) == 0,
            SharesContent = random.Next(4) != 0,
            ContinuesInline = random.Next(4) == 0,
            Engine = random.Next(2) == 0 ? IoEngine.Threads : IoEngine.Auto,
            StealLimit = 4 * random.Next(3),
            WriteBackMilliseconds = random.Next(2) == 0 ? 1 : 500,
        };
    }

    public PageCacheOptions MakeOptions() => new()
    {
        PageSize = PageSize,
        MemoryLimit = LeastMemory * Memory,
        MaximumMemoryLimit = LeastMemory * FileStorm.MostMemory,
        StealLimit = StealLimit,
        Guarded = IsGuarded,
        IoEngine = Engine,
        AllowSynchronousContinuations = ContinuesInline,
        WriteBackInterval = TimeSpan.FromMilliseconds(WriteBackMilliseconds),
        ScanPagesPerSecond = 10_000_000,
        ScanCpuShare = 1,

        // Whoever waits for a frame gets one in the end, however slow the machine is.
        FrameTimeout = TimeSpan.FromHours(1),
    };
}
