namespace StorageCache.KeyValueStore.Crash.Work;

/// <summary>What a worker is to do until it is killed, or its input ends.</summary>
internal sealed record LifePlan
{
    /// <summary>Where the stores are.</summary>
    public required string Directory { get; init; }

    /// <summary>The stores.</summary>
    public required IReadOnlyList<StorePlan> Stores { get; init; }

    /// <summary>Decides what is changed.</summary>
    public required int Seed { get; init; }

    /// <summary>The number of the life: no two have the same versions and operations.</summary>
    public required int Life { get; init; }

    /// <summary>How many clones may be made.</summary>
    public required int Clones { get; init; }

    /// <summary>Whether I/O may fail, so that stores go on, or are opened anew.</summary>
    public bool IsTolerant { get; init; }

    /// <summary>Who changes a store at a time.</summary>
    public int Writers { get; init; } = 8;

    /// <summary>Keys of a store.</summary>
    public int Keys { get; init; } = 1200;

    public long CacheBytes { get; init; } = 4 << 20;

    public long CheckpointBytes { get; init; } = 256 << 10;

    public int SegmentBytes { get; init; } = 64 << 10;

    public IoEngine IoEngine { get; init; } = IoEngine.Auto;
}
