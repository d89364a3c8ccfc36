using System.Globalization;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.FileSystems;

/// <summary>Holes in files: their space is given back, and they are there after the file system was mounted anew.</summary>
public sealed class PunchFileTests
{
    private const int Page = 4096;
    private const int Pages = 2000;

    [Theory]
    [MemberData(nameof(FileSystem.WithEachEngine), MemberType = typeof(FileSystem))]
    public async Task What_is_punched_gives_its_space_back(string fileSystem, IoEngine engine)
    {
        using MountedFileSystem mounted = FileSystem.Mount(fileSystem);
        string path = Path.Combine(mounted.Path, "file");
        byte[] expected = [];
        await using (PageCache cache = NewCache(engine))
        {
            Mapping mapping = await cache.OpenAsync(path);
            expected = await FillAsync(mapping);
            long before = BytesOf(path);
            await mapping.PunchAsync(100, 1000);
            expected.AsSpan(100 * Page, 1000 * Page).Clear();
            long given = before - BytesOf(path);
            Assert.True(given >= 900 * Page, $"{given} bytes have been given back");
            await CompareAsync(mapping, expected);

            // To the end, where the file ends within a page.
            await mapping.PunchAsync(Pages - 1, 100);
            expected.AsSpan((Pages - 1) * Page).Clear();
            await mapping.FlushAsync();
        }

        Assert.Equal(expected, await File.ReadAllBytesAsync(path));
        if (fileSystem != FileSystem.Tmpfs)
        {
            mounted.Remount();
            Assert.Equal(expected, await File.ReadAllBytesAsync(path));
        }
    }

    [Fact]
    public async Task A_file_system_without_holes_gets_zeros()
    {
        using MountedFileSystem mounted = MountedFileSystem.Ramfs();
        string path = Path.Combine(mounted.Path, "file");
        byte[] expected = [];
        await using (PageCache cache = NewCache(IoEngine.Auto))
        {
            Mapping mapping = await cache.OpenAsync(path);
            expected = await FillAsync(mapping);
            for (int first = 1; first < Pages; first += 500)
            {
                await mapping.PunchAsync(first, 300);
                expected.AsSpan(first * Page, 300 * Page).Clear();
            }

            await CompareAsync(mapping, expected);
            await mapping.CloseAsync();
        }

        Assert.Equal(expected, await File.ReadAllBytesAsync(path));
    }

    [Fact]
    public async Task A_block_device_reads_as_zeros_where_it_was_punched()
    {
        using ScratchDirectory directory = new();
        string image = directory.File("image");
        await File.WriteAllBytesAsync(image, [.. Enumerable.Repeat((byte)7, 100 * Page)]);
        using LoopDevice loop = LoopDevice.Over(image);
        await using PageCache cache = NewCache(IoEngine.Auto);
        Mapping mapping = await cache.OpenAsync(loop.Path);
        await mapping.PunchAsync(10, 20);
        await mapping.PunchAsync(99, 20);
        await mapping.CloseAsync();
        mapping = await cache.OpenAsync(loop.Path);
        for (int page = 0; page < 100; page++)
        {
            using PageReadLease lease = await mapping.ReadAsync(page);
            Assert.Equal(-1, lease.Span.IndexOfAnyExcept((byte)(page is (>= 10 and < 30) or 99 ? 0 : 7)));
        }

        await mapping.CloseAsync();
    }

    private static PageCache NewCache(IoEngine engine) => new(new PageCacheOptions { MemoryLimit = CacheCore.LeastMemory(Page), IoEngine = engine, IoThreads = 4 });

    private static async Task<byte[]> FillAsync(Mapping mapping)
    {
        byte[] bytes = new byte[((Pages - 1) * Page) + 100];
        Random random = new(3);
        random.NextBytes(bytes);
        await mapping.ExtendAsync(bytes.Length);
        for (int page = 0; page < Pages; page++)
        {
            using PageWriteLease lease = await mapping.WriteAsync(page);
            InFile(bytes, page).CopyTo(lease.Span);
            lease.MarkDirty();
        }

        await mapping.FlushAsync();
        return bytes;
    }

    private static async Task CompareAsync(Mapping mapping, byte[] expected)
    {
        Assert.Equal(expected.Length, mapping.Length);
        for (int page = 0; page < Pages; page++)
        {
            using PageReadLease lease = await mapping.ReadAsync(page);
            Span<byte> model = InFile(expected, page);
            Assert.True(lease.Span[..model.Length].SequenceEqual(model), $"page {page}");
        }
    }

    private static Span<byte> InFile(byte[] bytes, int page) => bytes.AsSpan(page * Page, Math.Min(Page, bytes.Length - (page * Page)));

    private static long BytesOf(string path)
    {
        Assert.Null(MountedFileSystem.TryRun(out string blocks, "stat", "--format=%b", path));
        return 512 * long.Parse(blocks, CultureInfo.InvariantCulture);
    }
}
