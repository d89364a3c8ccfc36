namespace StorageCache.Workloads.Hit;

/// <summary>The kinds of lease that are measured.</summary>
internal enum LeaseKind
{
    /// <summary>Shared latch, synchronous.</summary>
    ReadLease,

    /// <summary>Exclusive latch, synchronous; the page is written but not marked dirty.</summary>
    WriteLease,

    /// <summary>A pin, and an optimistic read under it, since a pin alone latches nothing.</summary>
    Pin,

    /// <summary>Optimistic read, validated.</summary>
    Optimistic,

    /// <summary>Shared latch, awaited.</summary>
    AsyncRead,
}
