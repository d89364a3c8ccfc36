using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.FileSystems;

/// <summary>What differs from one file system to the next: direct I/O, what is on the disk afterwards, shared extents.</summary>
public sealed class FileSystemTests
{
    private const int Page = 4096;

    [Theory]
    [MemberData(nameof(FileSystem.WithEachEngine), MemberType = typeof(FileSystem))]
    public async Task Io_is_direct_where_the_file_system_has_it_and_the_mapping_says_which(string fileSystem, IoEngine engine)
    {
        using MountedFileSystem mounted = FileSystem.Mount(fileSystem);
        await using PageCache cache = NewCache(engine);
        Mapping mapping = await cache.OpenAsync(Path.Combine(mounted.Path, "file"));
        Assert.Equal(FileSystem.IsDirect(fileSystem), mapping.IsDirect);
        Assert.Equal(engine, cache.Capabilities.IoEngine);
        await mapping.CloseAsync();
    }

    /// <summary>Through a cache of 64 frames: unaligned ends, cuts within a page, holes, growth, and pages written again and again.</summary>
    [Theory]
    [MemberData(nameof(FileSystem.OnDiskWithEachEngine), MemberType = typeof(FileSystem))]
    public async Task What_was_flushed_is_there_after_the_file_system_was_mounted_anew(string fileSystem, IoEngine engine)
    {
        using MountedFileSystem mounted = FileSystem.Mount(fileSystem);
        string path = Path.Combine(mounted.Path, "file");
        byte[] expected = [];
        Random random = new(5);
        for (int round = 0; round < 3; round++)
        {
            await using (PageCache cache = NewCache(engine))
            {
                Mapping mapping = await cache.OpenAsync(path);
                Assert.Equal(expected.Length, mapping.Length);
                for (int step = 0; step < 4; step++)
                {
                    int length = random.Next(400 * Page);
                    if (length < expected.Length)
                    {
                        await mapping.TruncateAsync(length);
                    }
                    else
                    {
                        await mapping.ExtendAsync(length);
                    }

                    Array.Resize(ref expected, length);
                    await WriteSomeAsync(mapping, expected, random);
                }

                await mapping.FlushAsync();

                // A flush is what makes it last; what is in the cache's hands when it ends without one does not count.
                cache.Dispose();
                await WaitForFileAsync(path);
            }

            Assert.Equal(expected, await File.ReadAllBytesAsync(path));
            mounted.Remount();
            Assert.Equal(expected, await File.ReadAllBytesAsync(path));
        }
    }

    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task A_file_and_its_clone_share_extents_and_go_their_own_ways(string fileSystem)
    {
        using MountedFileSystem mounted = FileSystem.Mount(fileSystem);
        string origin = Path.Combine(mounted.Path, "origin");
        string clone = Path.Combine(mounted.Path, "clone");
        byte[] bytes = BlockDeviceTests.Pattern((100 * Page) + 77, 1);
        await File.WriteAllBytesAsync(origin, bytes);
        Assert.Null(MountedFileSystem.TryRun("cp", "--reflink=always", origin, clone));
        byte[][] expected = [[.. bytes], [.. bytes]];
        await using (PageCache cache = NewCache(IoEngine.Auto))
        {
            Mapping[] mappings = [await cache.OpenAsync(origin), await cache.OpenAsync(clone)];
            for (int file = 0; file < 2; file++)
            {
                for (int page = file; page <= 100; page += 2 + file)
                {
                    Change(mappings[file], expected[file], page, (byte)(1 + file));
                }
            }

            await cache.FlushAsync();
        }

        mounted.Remount();
        Assert.Equal(expected[0], await File.ReadAllBytesAsync(origin));
        Assert.Equal(expected[1], await File.ReadAllBytesAsync(clone));
    }

    private static PageCache NewCache(IoEngine engine) => new(new PageCacheOptions
    {
        MemoryLimit = CacheCore.LeastMemory(Page),
        IoEngine = engine,
        IoThreads = 4,
        WriteBackInterval = TimeSpan.FromMilliseconds(5),
    });

    private static async Task WriteSomeAsync(Mapping mapping, byte[] expected, Random random)
    {
        for (int i = 0; i < 150 && mapping.PageCount > 0; i++)
        {
            int page = random.Next((int)mapping.PageCount);
            using PageWriteLease lease = await mapping.WriteAsync(page);
            Span<byte> model = InFile(expected, page);
            Assert.True(lease.Span[..model.Length].SequenceEqual(model), $"page {page}");
            random.NextBytes(model[..random.Next(model.Length + 1)]);
            model.CopyTo(lease.Span);
            lease.MarkDirty();
        }
    }

    private static void Change(Mapping mapping, byte[] expected, int page, byte by)
    {
        using PageWriteLease lease = mapping.Write(page);
        Span<byte> model = InFile(expected, page);
        Assert.True(lease.Span[..model.Length].SequenceEqual(model), $"page {page}");
        model[page % model.Length] += by;
        model.CopyTo(lease.Span);
        lease.MarkDirty();
    }

    private static Span<byte> InFile(byte[] bytes, int page) => bytes.AsSpan(page * Page, Math.Min(Page, bytes.Length - (page * Page)));

    /// <summary>Waits until nobody has the file locked: a cache that is disposed of without waiting closes it in its own time.</summary>
    private static async Task WaitForFileAsync(string path)
    {
        string? failure = await Task.Run(() => MountedFileSystem.TryRun("flock", "--timeout", "60", path, "true"));
        Assert.Null(failure);
    }
}
