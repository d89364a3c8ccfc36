namespace StorageCache.Tests.Stress;

/// <summary>What one round of the parallel stress runs on.</summary>
internal sealed record StressConfiguration
{
    public required int Seed { get; init; }

    public int PageSize { get; init; } = 4096;

    public int Pages { get; init; } = 400;

    public int StablePages { get; init; } = 200;

    /// <summary>The memory limit, in pages; metadata comes on top.</summary>
    public int Frames { get; init; } = 80;

    public int StealLimit { get; init; } = 8;

    public bool SynchronousContinuations { get; init; }

    public double Failures { get; init; }

    public bool OnFiles { get; init; }

    public IoEngine Engine { get; init; }

    /// <summary>The most requests that the kernel has at once.</summary>
    public int QueueDepth { get; init; } = 128;

    /// <summary>Whether pages' memory is registered with the ring.</summary>
    public bool RegistersMemory { get; init; }

    /// <summary>Whether bytes are read through a view that cannot be written.</summary>
    public bool IsGuarded { get; init; }

    public bool Truncates { get; init; }

    public bool Resizes { get; init; }

    /// <summary>Whether the mappings are closed while the workers are still at it.</summary>
    public bool ClosesUnderLoad { get; init; }
}
