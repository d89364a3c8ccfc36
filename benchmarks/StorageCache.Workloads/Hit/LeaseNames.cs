namespace StorageCache.Workloads.Hit;

/// <summary>How the kinds of lease are called in the names of metrics. The names are stable.</summary>
internal static class LeaseNames
{
    /// <summary>The name of a kind.</summary>
    public static string Of(LeaseKind kind) => kind switch
    {
        LeaseKind.ReadLease => "read_lease",
        LeaseKind.WriteLease => "write_lease",
        LeaseKind.Pin => "pin",
        LeaseKind.Optimistic => "optimistic",
        LeaseKind.AsyncRead => "async_read",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };
}
