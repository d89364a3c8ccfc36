using StorageCache.IO;
using StorageCache.Platform;
using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.FileSystems;

/// <summary>A file system that has no room left, and then has some again.</summary>
public sealed class FullFileSystemTests
{
    private const int Page = 4096;
    private const int OldPages = 16;

    /// <summary>Not many: btrfs looks long for room for each of them.</summary>
    private const int NewPages = 40;

    /// <summary>
    /// The error comes with the write: direct writes allocate at once, and the kernel's own cache reserves room before it takes a page.
    /// </summary>
    [Theory]
    [MemberData(nameof(FileSystem.WithEachEngine), MemberType = typeof(FileSystem))]
    public async Task Nothing_is_forgotten_on_a_full_file_system_and_all_is_written_when_there_is_room(string fileSystem, IoEngine engine)
    {
        using MountedFileSystem mounted = FileSystem.Mount(fileSystem);
        string path = Path.Combine(mounted.Path, "file");
        byte[] expected = BlockDeviceTests.Pattern(OldPages * Page, 1);
        await File.WriteAllBytesAsync(path, expected);
        string ballast = Path.Combine(mounted.Path, "ballast");
        mounted.FillUp(ballast);
        await using PageCache cache = NewCache(engine);
        Mapping mapping = await cache.OpenAsync(path);

        // Ends within a page.
        Array.Resize(ref expected, ((OldPages + NewPages) * Page) - 1234);
        await mapping.ExtendAsync(expected.Length);
        for (int page = OldPages; page < OldPages + NewPages; page++)
        {
            using PageWriteLease lease = mapping.WriteNew(page);
            Span<byte> model = expected.AsSpan(page * Page, Math.Min(Page, expected.Length - (page * Page)));
            model.Fill((byte)(page + 1));
            model.CopyTo(lease.Span);
            lease.MarkDirty();
        }

        for (int attempt = 0; attempt < 2; attempt++)
        {
            PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => mapping.FlushAsync().InTime());
            Assert.Equal(Errno.ENOSPC, error.HResult);
            Assert.Equal(Errno.ENOSPC, Assert.IsType<BlockIOException>(error.InnerException).Errno);
            Assert.True(error.Page >= OldPages, error.Message);
            Assert.Equal(MappingState.Open, mapping.State);
            Assert.True(mapping.IsDirty(error.Page!.Value));
            await Quiet.CheckAsync(cache, "on a full file system");
            await CompareAsync(mapping, expected);
        }

        await Assert.ThrowsAsync<PageWriteException>(() => mapping.CloseAsync().InTime());
        File.Delete(ballast);

        // What was deleted is room only when the file system has committed that.
        Assert.Null(MountedFileSystem.TryRun("sync", "--file-system", mounted.Path));
        await mapping.FlushAsync().InTime();
        Assert.Equal(0, cache.GetStatistics().DirtyPages);
        await CompareAsync(mapping, expected);
        await mapping.CloseAsync().InTime();
        if (fileSystem != FileSystem.Tmpfs)
        {
            mounted.Remount();
        }

        Assert.Equal(expected, await File.ReadAllBytesAsync(path));
        mapping = await cache.OpenAsync(path);
        await CompareAsync(mapping, expected);
        await mapping.CloseAsync().InTime();
    }

    /// <summary>Room for all pages, but none for the cache to evict a dirty one to: readers of others are served all the same.</summary>
    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public async Task Readers_go_on_while_dirty_pages_find_no_room(IoEngine engine)
    {
        using MountedFileSystem mounted = FileSystem.Mount(FileSystem.Ext4);
        byte[] old = BlockDeviceTests.Pattern(200 * Page, 2);
        string other = Path.Combine(mounted.Path, "other");
        await File.WriteAllBytesAsync(other, old);
        await File.WriteAllBytesAsync(Path.Combine(mounted.Path, "file"), []);
        string ballast = Path.Combine(mounted.Path, "ballast");
        mounted.FillUp(ballast);
        await using PageCache cache = NewCache(engine, CacheCore.LeastMemory(Page));
        Mapping mapping = await cache.OpenAsync(Path.Combine(mounted.Path, "file"));
        Mapping reads = await cache.OpenAsync(other);
        for (int page = 0; page < 20; page++)
        {
            using PageWriteLease lease = mapping.WriteNew(page);
            lease.Span.Fill((byte)(page + 1));
            lease.MarkDirty();
        }

        await Assert.ThrowsAsync<PageWriteException>(() => mapping.FlushAsync().InTime());
        for (int round = 0; round < 3; round++)
        {
            await CompareAsync(reads, old);
        }

        await reads.FlushAsync().InTime();
        File.Delete(ballast);
        Assert.Null(MountedFileSystem.TryRun("sync", "--file-system", mounted.Path));
        await mapping.FlushAsync().InTime();
        await cache.DisposeAsync().InTime();
        byte[] written = await File.ReadAllBytesAsync(Path.Combine(mounted.Path, "file"));
        Assert.Equal(20 * Page, written.Length);
        Assert.True(Enumerable.Range(0, 20).All(page => written.AsSpan(page * Page, Page).IndexOfAnyExcept((byte)(page + 1)) < 0));
    }

    private static PageCache NewCache(IoEngine engine, long memory = 4 << 20) => new(new PageCacheOptions
    {
        MemoryLimit = memory,
        IoEngine = engine,
        IoThreads = 4,

        // Write-back by the test alone.
        WriteBackInterval = TimeSpan.FromHours(1),
        DirtyBackgroundRatio = 0.9,
        DirtyLimitRatio = 0.95,
    });

    private static async Task CompareAsync(Mapping mapping, byte[] expected)
    {
        Assert.Equal(expected.Length, mapping.Length);
        for (int page = 0; page < mapping.PageCount; page++)
        {
            using PageReadLease lease = await mapping.ReadAsync(page).InTime();
            ReadOnlySpan<byte> model = expected.AsSpan(page * Page, Math.Min(Page, expected.Length - (page * Page)));
            Assert.True(lease.Span[..model.Length].SequenceEqual(model), $"page {page}");
            Assert.True(lease.Span[model.Length..].IndexOfAnyExcept((byte)0) < 0, $"page {page} beyond the end");
        }
    }
}
