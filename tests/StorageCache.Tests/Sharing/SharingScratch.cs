using StorageCache.Tests.FileSystems;
using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Sharing;

/// <summary>A file system with reflinks, and a cache over its files, for one test; checks the cache when the test is done.</summary>
internal sealed class SharingScratch : IAsyncDisposable
{
    public const int PageSize = 4096;

    private readonly MountedFileSystem _disk;

    /// <param name="type">The file system, with its usual block size.</param>
    /// <param name="pageSize">Bytes per page of the cache.</param>
    /// <param name="memory">Bytes the cache may take; the least there can be if 0.</param>
    /// <param name="stealLimit">How many may pass those who stand in line.</param>
    public SharingScratch(string type, int pageSize = PageSize, long memory = 32 << 20, int stealLimit = 8)
        : this(FileSystem.Mount(type), pageSize, memory, stealLimit)
    {
    }

    public SharingScratch(MountedFileSystem disk, int pageSize = PageSize, long memory = 32 << 20, int stealLimit = 8)
    {
        _disk = disk;
        Cache = new PageCache(new PageCacheOptions
        {
            MemoryLimit = memory == 0 ? CacheCore.LeastMemory(pageSize) : memory,
            PageSize = pageSize,
            StealLimit = stealLimit,
            WriteBackInterval = TimeSpan.FromHours(1),
            Guarded = true,
        });
    }

    public PageCache Cache { get; }

    public long SharedFrames => Cache.GetStatistics().SharedFrames;

    public long BytesRead => Cache.GetStatistics().BytesRead;

    /// <summary>Frames that hold a page.</summary>
    public long FramesInUse => Cache.Core.Frames.Active - Cache.Core.Frames.FreeCount;

    /// <summary>Bytes that differ from page to page, and from seed to seed.</summary>
    public static byte[] Content(int bytes, int seed)
    {
        byte[] content = new byte[bytes];
        new Random(seed).NextBytes(content);
        return content;
    }

    public string PathOf(string name) => Path.Combine(_disk.Path, name);

    /// <summary>Makes a file outside the cache, durable.</summary>
    public byte[] Create(string name, int bytes, int seed = 1)
    {
        byte[] content = Content(bytes, seed);
        using FileStream file = new(PathOf(name), FileMode.Create, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        file.Write(content);
        file.Flush(flushToDisk: true);
        return content;
    }

    /// <summary><see cref="Create"/>, if there is room.</summary>
    public byte[]? TryCreate(string name, int bytes, int seed)
    {
        try
        {
            return Create(name, bytes, seed);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Takes all of the file system but some bytes.</summary>
    public void LeaveFree(long bytes) =>
        Run("fallocate", "--length", $"{new DriveInfo(_disk.Path).AvailableFreeSpace - bytes}", PathOf("ballast"));

    /// <summary>Makes a clone outside the cache of what the file system has of a file.</summary>
    public void Reflink(string from, string to) => Run("cp", "--reflink=always", PathOf(from), PathOf(to));

    /// <summary><see cref="Reflink"/>, if there is room.</summary>
    public bool TryReflink(string from, string to) =>
        MountedFileSystem.TryRun("cp", "--reflink=always", PathOf(from), PathOf(to)) is null;

    /// <summary>Makes part of a file a clone of part of another, outside the cache.</summary>
    public void ReflinkRange(string from, long fromOffset, string to, long toOffset, long length) =>
        Run("xfs_io", "-f", "-c", $"reflink {PathOf(from)} {fromOffset} {toOffset} {length}", PathOf(to));

    public void Run(string program, params string[] arguments) => Assert.Null(MountedFileSystem.TryRun(program, arguments));

    /// <summary>Opens a file that is read in no order: nothing is read ahead.</summary>
    public async Task<Mapping> OpenAsync(string name, bool isReadOnly = false, bool shares = true, bool isExclusive = true, SharingDomain? domain = null) =>
        await Cache.OpenAsync(PathOf(name), new MappingOptions
        {
            Mode = isReadOnly ? MappingMode.Open : MappingMode.OpenOrCreate,
            AccessPattern = AccessPattern.Random,
            ReadOnly = isReadOnly,
            Shares = shares,
            Exclusive = isExclusive,
            SharingDomain = domain ?? SharingDomain.Default,
        });

    /// <summary>Demands that a mapping reads as some bytes do, with zeros behind them to the end of the last page.</summary>
    public static void AssertHolds(Mapping mapping, byte[] expected)
    {
        Assert.Equal(expected.Length, mapping.Length);
        for (long page = 0; page < mapping.PageCount; page++)
        {
            AssertHolds(mapping, expected, page);
        }
    }

    /// <summary>The same for one page.</summary>
    public static void AssertHolds(Mapping mapping, byte[] expected, long page)
    {
        using PageReadLease lease = mapping.Read(page);
        ReadOnlySpan<byte> bytes = expected.AsSpan((int)Math.Min(expected.Length, page * lease.Span.Length));
        bytes = bytes[..Math.Min(bytes.Length, lease.Span.Length)];
        if (!lease.Span.StartsWith(bytes) || lease.Span[bytes.Length..].ContainsAnyExcept((byte)0))
        {
            Assert.Fail($"'{Path.GetFileName(mapping.Path)}': page {page} has wrong bytes");
        }
    }

    /// <summary>Writes a page through the cache, and into the model.</summary>
    public static void Write(Mapping mapping, byte[] model, long page, int seed, ulong lsn = 0)
    {
        using PageWriteLease lease = mapping.Write(page);
        byte[] content = Content(lease.Span.Length, seed);
        content.CopyTo(lease.Span);
        lease.MarkDirty(lsn);
        int from = (int)(page * lease.Span.Length);
        content.AsSpan(0, Math.Min(content.Length, model.Length - from)).CopyTo(model.AsSpan(from));
        lease.Span[Math.Min(content.Length, model.Length - from)..].Clear();
    }

    /// <summary>Drops all pages of a mapping, which must be clean. What evicts in the background may have one for a moment.</summary>
    public static void Evict(Mapping mapping) => Wait.Until(
        () =>
        {
            mapping.DontNeed(0, mapping.PageCount);
            return mapping.ResidentPages == 0;
        },
        "all pages to be dropped");

    public Task CheckAsync(string when) => Quiet.CheckAsync(Cache, when);

    public async ValueTask DisposeAsync()
    {
        await Cache.DisposeAsync();
        _disk.Dispose();
    }
}
