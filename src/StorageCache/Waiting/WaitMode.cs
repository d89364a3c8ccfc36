namespace StorageCache.Waiting;

/// <summary>What a waiter waits to be given.</summary>
internal enum WaitMode
{
    /// <summary>A shared latch.</summary>
    Shared,

    /// <summary>An exclusive latch.</summary>
    Exclusive,

    /// <summary>Residence only: no latch.</summary>
    Pin,
}
