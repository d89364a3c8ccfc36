namespace StorageCache.Sharing;

/// <summary>
/// A run of pages that was found to be the same in several files: what a page of it holds never changes, for whoever writes his page
/// takes it out of the run. The number is never used again.
/// </summary>
/// <param name="number">The number.</param>
/// <param name="origin">The mapping whose pages the run was made of.</param>
/// <param name="originFirstPage">The page of that mapping that is the run's first.</param>
internal sealed class ExtentIdentity(ulong number, Mapping origin, long originFirstPage)
{
    private Mapping? _origin = origin;

    /// <summary>The number.</summary>
    public ulong Number { get; } = number;

    /// <summary>The page of the origin that is the run's first.</summary>
    public long OriginFirstPage { get; } = originFirstPage;

    /// <summary>
    /// The mapping whose pages the run was made of, until it is closed: those that were in memory at the time are found there, and in
    /// no index.
    /// </summary>
    public Mapping? Origin => Volatile.Read(ref _origin);

    /// <summary>Forgets the mapping that the run was made of.</summary>
    public void LeaveOrigin() => Volatile.Write(ref _origin, null);
}
