using StorageCache.KeyValueStore.Crash.Reports;

namespace StorageCache.KeyValueStore.Crash.Oracle;

/// <summary>A change of one or more keys, as one store's history has it. Times are numbers of reports.</summary>
internal sealed class Operation(long number, long begun, IReadOnlyList<Change> changes)
{
    public long Number => number;

    /// <summary>It was begun after this.</summary>
    public long Begun => begun;

    public IReadOnlyList<Change> Changes => changes;

    /// <summary>It had returned by then, if ever.</summary>
    public long Ended { get; set; } = long.MaxValue;

    /// <summary>It was acknowledged: it has to be there.</summary>
    public bool Must { get; set; }

    /// <summary>It is known not to have happened.</summary>
    public bool MustNot { get; set; }

    /// <summary>Something of it has been found.</summary>
    public bool IsSeen { get; set; }

    public bool HasHappened => Must || IsSeen;
}
