namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>What a run is to be.</summary>
internal sealed record RunSettings
{
    /// <summary>One of <see cref="Disks.Disk.Types"/>.</summary>
    public required string FileSystem { get; init; }

    /// <summary>Decides what is done and when, but for what the kernel decides.</summary>
    public required int Seed { get; init; }

    /// <summary>Times that something is killed, filled up or broken.</summary>
    public required int Times { get; init; }

    /// <summary>A directory for the files, which must not exist; removed unless something is found.</summary>
    public required string Scratch { get; init; }
}
