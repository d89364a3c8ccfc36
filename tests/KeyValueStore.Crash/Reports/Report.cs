namespace StorageCache.KeyValueStore.Crash.Reports;

/// <summary>One thing that a worker says.</summary>
/// <param name="Kind">What it is about.</param>
/// <param name="Store">Name of the store.</param>
/// <param name="Operation">Number of the change.</param>
/// <param name="Changes">The keys that it is about.</param>
/// <param name="Text">More about it.</param>
internal sealed record Report(ReportKind Kind, string Store = "", long Operation = 0, IReadOnlyList<Change>? Changes = null, string Text = "")
{
    /// <summary>The keys that it is about.</summary>
    public IReadOnlyList<Change> Changes { get; } = Changes ?? [];

    /// <summary>Whether a store could not be opened or changed, for what the disk has done.</summary>
    public bool IsError => Kind is ReportKind.Failed or ReportKind.InDoubt or ReportKind.NotOpened;
}
