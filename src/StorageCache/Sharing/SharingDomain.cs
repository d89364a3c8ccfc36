namespace StorageCache;

/// <summary>
/// A boundary of trust: frames are shared between files of one domain only. Give it to the files that may share through
/// <see cref="MappingOptions.SharingDomain"/>.
/// </summary>
/// <remarks>
/// Which pages are in memory already can be told from the time that reading takes, and, unless the domain is hardened, which are shared
/// from the time of a first write: <c>docs/security.md</c> says what that reveals to whom. Immutable, and so thread-safe.
/// </remarks>
public sealed class SharingDomain
{
    private static uint s_lastNumber;

    /// <param name="name">What messages call it; need not be unique.</param>
    /// <exception cref="ArgumentException"><paramref name="name"/> is null or empty.</exception>
    public SharingDomain(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        Name = name;
    }

    /// <summary>The domain of mappings that name none: they share extents, and no content.</summary>
    public static SharingDomain Default { get; } = new("default");

    /// <summary>What messages call it.</summary>
    public string Name { get; }

    /// <summary>
    /// Whether pages share a frame whose files have the same blocks on the device (reflinks, on XFS and btrfs). Needs
    /// <see cref="MappingOptions.Exclusive"/>. Default: true.
    /// </summary>
    public bool SharesExtents { get; init; } = true;

    /// <summary>
    /// Whether pages share a frame whose bytes are equal, in files and devices of any kind: when they are read, and for those read
    /// before, by a scan in the background. Costs a hash of each page that is read. Default: false.
    /// </summary>
    public bool SharesContent { get; init; }

    /// <summary>
    /// Whether the first write to a page that was read takes the same path whether or not its frame is shared: it always copies.
    /// Default: false.
    /// </summary>
    public bool IsHardened { get; init; }

    /// <summary>Tells the domain from all others of the process, so that no cache has to remember the domains it has seen (SH-6).</summary>
    internal uint Number { get; } = Interlocked.Increment(ref s_lastNumber);

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
