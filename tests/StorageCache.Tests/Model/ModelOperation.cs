namespace StorageCache.Tests.Model;

/// <summary>One step of a random sequence.</summary>
internal readonly record struct ModelOperation(ModelAction Action, int File, int Page, int Value);

internal enum ModelAction
{
    Read,
    ReadAsync,
    TryRead,
    ReadOptimistic,
    ReadOptimisticAsync,
    TryReadOptimistic,
    Write,
    WriteAsync,
    TryWrite,
    WriteDowngraded,
    WriteUpgraded,
    WriteNew,
    WriteNewAsync,
    TryWriteNew,
    WriteNewCancelled,
    WriteMany,
    ReadMany,
    Pin,
    PinAsync,
    TryPin,
    UsePin,
    Unpin,
    Flush,
    FlushAll,
    Extend,
    Truncate,
    TruncateCancelled,
    Punch,
    PunchCancelled,
    Prefetch,
    DontNeed,
    ReadBackward,
    ReadStream,
    SetPattern,
    Resize,
    Reopen,
}
