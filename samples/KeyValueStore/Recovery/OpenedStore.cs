using StorageCache.IO;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using StorageCache.KeyValueStore.Logging;
using StorageCache.KeyValueStore.Space;

namespace StorageCache.KeyValueStore.Recovery;

/// <summary>The parts of a store whose files are open and agree with each other.</summary>
internal sealed record OpenedStore
{
    public required Mapping Mapping { get; init; }

    public required PageLimits Limits { get; init; }

    public required PageVerifier Verifier { get; init; }

    public required ActiveReads ActiveReads { get; init; }

    public required PageAllocator Allocator { get; init; }

    /// <summary>The pin of the root; the store's to return.</summary>
    public required PagePin Root { get; init; }

    /// <summary>What the meta page says on the device.</summary>
    public required MetaPage Meta { get; init; }

    /// <summary>The log's file; null if the store is only read.</summary>
    public required IBlockDevice? LogDevice { get; init; }

    /// <summary>The log; null if the store is only read.</summary>
    public required WriteAheadLog? Log { get; init; }

    public required RecoveryReport Recovery { get; init; }
}
