using System.Security.Cryptography;
using StorageCache.KeyValueStore.Files;
using StorageCache.KeyValueStore.Logging;

namespace StorageCache.KeyValueStore;

/// <summary>How a store is opened. Immutable; may be used for any number of stores.</summary>
public sealed record KeyValueStoreOptions
{
    /// <summary>The page size of a new store for which none is asked, in bytes.</summary>
    public const int DefaultPageSize = 4096;

    private const long LeastCacheBytes = 2L << 20;
    private const int LeastCachePages = 128;
    private const long LeastCheckpointBytes = 64L << 10;
    private const long MostCheckpointBytes = 1L << 40;

    /// <summary>Whether the file must exist, may exist or must not. Default: <see cref="MappingMode.OpenOrCreate"/>.</summary>
    /// <remarks>An empty file becomes a new store, except with <see cref="MappingMode.Open"/>.</remarks>
    public MappingMode Mode { get; init; } = MappingMode.OpenOrCreate;

    /// <summary>Refuses every change. The file must exist; <see cref="Mode"/> is then taken as <see cref="MappingMode.Open"/>.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>
    /// Memory limit of the cache that a store makes for itself, in bytes: at least <see cref="LeastCacheSize"/> of its page size. Default: 64 MiB.
    /// Not used when the caller brings the cache.
    /// </summary>
    public long CacheSize { get; init; } = 64L << 20;

    /// <summary>
    /// Page size of the cache that a store makes for itself, in bytes: 4,096 to 65,536, a power of two, or 0 (default): the page size the
    /// file has, 4,096 for a new one. Not used when the caller brings the cache.
    /// </summary>
    public int PageSize { get; init; }

    /// <summary>
    /// With which other files of the cache pages in memory may be shared; a clone is in the domain of its source. Default:
    /// <see cref="SharingDomain.Default"/>, which shares what is one on the device as well, such as clones are, and no content.
    /// </summary>
    public SharingDomain SharingDomain { get; init; } = SharingDomain.Default;

    /// <summary>What a change waits for before it returns. Default: <see cref="KeyValueDurability.Durable"/>.</summary>
    public KeyValueDurability Durability { get; init; } = KeyValueDurability.Durable;

    /// <summary>
    /// With <see cref="KeyValueDurability.Written"/>: how often what has been written is made durable, so that a power loss takes no more than the
    /// changes of so long. 1 millisecond to 1 hour. Default: 1 second.
    /// </summary>
    public TimeSpan FlushInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// After how many bytes of log a checkpoint begins, which bounds what has to be read after a crash: 64 KiB to 1 TiB. Changes wait for the checkpoint once
    /// there is twice as much. Default: 256 MiB.
    /// </summary>
    public long CheckpointBytes { get; init; } = 256L << 20;

    /// <summary>Bytes of a segment, the unit in which the log of a new store grows and is used again: 64 KiB to 1 GiB, a multiple of 4,096. Default: 4 MiB.</summary>
    public int LogSegmentSize { get; init; } = 4 << 20;

    /// <summary>The clock for intervals. Default: <see cref="TimeProvider.System"/>.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Where the files are.</summary>
    internal IStoreFiles Files { get; init; } = FileSystemFiles.Instance;

    /// <summary>Bytes that nobody else has: for identities.</summary>
    internal Func<Guid> NewIdentity { get; init; } = Guid.NewGuid;

    /// <summary>64 bits that nobody else has: for the log's epochs.</summary>
    internal Func<ulong> NewEpoch { get; init; } = static () => BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));

    /// <summary>Bytes of a block of the log of a new store.</summary>
    internal int LogBlockBytes { get; init; } = 4096;

    /// <summary>Bytes of memory for what the log has to write.</summary>
    internal int LogBufferBytes { get; init; } = 4 << 20;

    /// <summary>The least that <see cref="CacheSize"/> may be, in bytes: 2 MiB, or 128 pages if that is more.</summary>
    /// <param name="pageSize">Bytes of a page.</param>
    public static long LeastCacheSize(int pageSize) => Math.Max(LeastCacheBytes, (long)LeastCachePages * pageSize);

    internal void Validate()
    {
        if (!Enum.IsDefined(Mode))
        {
            throw new ArgumentOutOfRangeException(nameof(Mode), Mode, $"The mode is {Mode}; allowed: Open, OpenOrCreate or CreateNew.");
        }

        ArgumentNullException.ThrowIfNull(SharingDomain);
        ArgumentNullException.ThrowIfNull(TimeProvider);
        if (!Enum.IsDefined(Durability))
        {
            throw new ArgumentOutOfRangeException(nameof(Durability), Durability, $"The durability is {Durability}; allowed: Durable or Written.");
        }

        if (FlushInterval < TimeSpan.FromMilliseconds(1) || FlushInterval > TimeSpan.FromHours(1))
        {
            throw new ArgumentOutOfRangeException(nameof(FlushInterval), FlushInterval, $"The flush interval is {FlushInterval}; allowed: 1 millisecond to 1 hour.");
        }

        if (CheckpointBytes is < LeastCheckpointBytes or > MostCheckpointBytes)
        {
            throw new ArgumentOutOfRangeException(
                nameof(CheckpointBytes), CheckpointBytes, $"The checkpoint interval is {CheckpointBytes} bytes; allowed: {LeastCheckpointBytes} to {MostCheckpointBytes}.");
        }

        if (LogSegmentSize is < LogOptions.LeastSegmentBytes or > LogOptions.GreatestSegmentBytes || LogSegmentSize % 4096 != 0)
        {
            throw new ArgumentOutOfRangeException(
                nameof(LogSegmentSize),
                LogSegmentSize,
                $"The log's segments have {LogSegmentSize} bytes; allowed: {LogOptions.LeastSegmentBytes} to {LogOptions.GreatestSegmentBytes}, a multiple of 4096.");
        }

        if (ReadOnly && Mode == MappingMode.CreateNew)
        {
            throw new ArgumentException("ReadOnly is true with the mode CreateNew; allowed: Open or OpenOrCreate.", nameof(ReadOnly));
        }

        if (PageSize != 0 && (PageSize is < 4096 or > 65536 || (PageSize & (PageSize - 1)) != 0))
        {
            throw new ArgumentOutOfRangeException(nameof(PageSize), PageSize, $"The page size is {PageSize}; allowed: 0, or a power of two from 4096 to 65536.");
        }
    }

    /// <summary>Checks the size of the cache, once the page size is known.</summary>
    internal void ValidateCacheSize(int pageSize)
    {
        long least = LeastCacheSize(pageSize);
        if (CacheSize < least)
        {
            throw new ArgumentOutOfRangeException(
                nameof(CacheSize), CacheSize, $"The cache size is {CacheSize}; allowed: at least {least} bytes with pages of {pageSize} bytes.");
        }
    }
}
