namespace StorageCache;

/// <summary>What was dirty in a mapping at some moment; see <see cref="Mapping.GetDirtyPages"/>. Immutable.</summary>
public sealed class DirtyPageTable
{
    internal DirtyPageTable(IReadOnlyList<DirtyPage> pages, ulong? oldestLsn)
    {
        Pages = pages;
        OldestLsn = oldestLsn;
    }

    /// <summary>The pages that were dirty, in the order of their numbers; those apart whose write had begun and that nobody had changed since.</summary>
    public IReadOnlyList<DirtyPage> Pages { get; }

    /// <summary>
    /// The lowest log sequence number of a change that is not known to be durable in the file, or null if there is none: of pages that were
    /// dirty, that were being written, and that had been written, cut off or punched and not synced. It may be lower than need be, and is
    /// never above. A cut or punch has no number of its own: who logs one keeps its record until a flush or checkpoint that began after it
    /// has succeeded.
    /// </summary>
    public ulong? OldestLsn { get; }
}
