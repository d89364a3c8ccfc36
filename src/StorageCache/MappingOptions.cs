namespace StorageCache;

/// <summary>How to open a file or device through a <see cref="PageCache"/>.</summary>
public sealed class MappingOptions
{
    /// <summary>What to do about a file that exists, or does not. Default: <see cref="MappingMode.OpenOrCreate"/>.</summary>
    public MappingMode Mode { get; init; } = MappingMode.OpenOrCreate;

    /// <summary>Whether the file is only read. Write leases and changes of length are refused. Default: false.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>How the pages will be read, which decides what is read ahead; see <see cref="Mapping.AccessPattern"/>. Default: <see cref="AccessPattern.Normal"/>.</summary>
    public AccessPattern AccessPattern { get; init; }

    /// <summary>
    /// Whether other processes (and other caches) are kept out by an advisory lock on the file for as long as the mapping
    /// is open: by an exclusive lock, or by a shared one if <see cref="ReadOnly"/>. Default: true.
    /// </summary>
    public bool Exclusive { get; init; } = true;

    /// <summary>
    /// With which other mappings frames may be shared: those of the same domain. Null, the default, stands for
    /// <see cref="StorageCache.SharingDomain.Default"/>, which shares extents and no content; for a file that is open already, for the domain that
    /// it has.
    /// </summary>
    public SharingDomain? SharingDomain { get; init; }

    /// <summary>Whether the mapping shares frames with others at all. Default: true.</summary>
    public bool Shares { get; init; } = true;

    /// <summary>
    /// The log that has to be durable up to a page's last change before the page is written; null, the default, for none. For a file that is
    /// open already: the log that it has, or null for that.
    /// </summary>
    public IWriteAheadLog? Log { get; init; }

    /// <summary>
    /// What pages are encoded with as they are stored, and decoded and verified with as they are loaded. The length of the file is a
    /// multiple of the page size then. Null, the default, stands for none; for a file that is open already, for the one that it has.
    /// Neither kind nor key are written anywhere: a file has to be opened with a codec that is equal to the one it was written with.
    /// </summary>
    public PageCodec? Codec { get; init; }

    /// <summary>Checks an access pattern.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is none of the three.</exception>
    internal static AccessPattern Check(AccessPattern value, string name) => Enum.IsDefined(value)
        ? value
        : throw new ArgumentOutOfRangeException(name, value, $"The access pattern is {value}; allowed: Normal, Sequential, Random.");
}
