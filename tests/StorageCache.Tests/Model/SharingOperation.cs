namespace StorageCache.Tests.Model;

/// <summary>One step of a random sequence on files that have pages in common.</summary>
internal readonly record struct SharingOperation(SharingAction Action, int File, int Page, int Value);

internal enum SharingAction
{
    Read,
    ReadAsync,
    ReadOptimistic,
    ReadAll,
    Write,
    WriteWhole,
    WriteUpgraded,
    WriteNothing,
    TryWrite,
    WriteNew,
    Copy,
    CopyRun,
    Clone,
    Truncate,
    Extend,
    Punch,
    Flush,
    FlushAll,
    DontNeed,
    Evict,
    Prefetch,
    Hold,
    HoldHere,
    LetGo,
    Pin,
    Unpin,
    Reopen,
    Resize,
    Scan,
}
