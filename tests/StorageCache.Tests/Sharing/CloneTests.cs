using StorageCache.Tests.FileSystems;
using StorageCache.Tests.IO;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Sharing;

/// <remarks>SH-1, SH-2, SH-4.</remarks>
public sealed class CloneTests
{
    private const int PageSize = 4096;
    private const int Pages = 512;

    public static TheoryData<string> FileSystems => ["xfs", "btrfs"];

    [Theory]
    [MemberData(nameof(FileSystems))]
    public async Task A_clone_has_its_pages_in_memory_without_a_read(string type)
    {
        using MountedFileSystem disk = FileSystem.Mount(type);
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 32 << 20, WriteBackInterval = TimeSpan.FromHours(1) });
        Mapping source = await cache.OpenAsync(Path.Combine(disk.Path, "source"));
        for (long page = 0; page < Pages; page++)
        {
            Write(source, page, (byte)(page % 250));
        }

        MappingClone clone = await source.CloneAsync(Path.Combine(disk.Path, "clone"));
        Assert.True(clone.IsReflink, clone.WhyNot);
        long reads = cache.GetStatistics().Reads;
        for (long page = 0; page < Pages; page++)
        {
            Assert.Equal((byte)(page % 250), Read(clone.Mapping, page));
        }

        PageCacheStatistics statistics = cache.GetStatistics();
        Assert.Equal(reads, statistics.Reads);
        Assert.Equal(Pages, statistics.SharedFrames);
        Assert.Equal(Pages, statistics.ReadsAvoided);

        Write(source, 3, 251);
        Write(clone.Mapping, 4, 252);
        Assert.Equal(3, Read(clone.Mapping, 3));
        Assert.Equal(4, Read(source, 4));
        await source.FlushAsync();
        await clone.Mapping.FlushAsync();
        await Quiet.CheckAsync(cache, "cloned");
    }

    private static void Write(Mapping mapping, long page, byte value)
    {
        using PageWriteLease lease = mapping.WriteNew(page);
        lease.Span.Fill(value);
        lease.MarkDirty();
    }

    private static byte Read(Mapping mapping, long page)
    {
        using PageReadLease lease = mapping.Read(page);
        Assert.Equal(-1, lease.Span.IndexOfAnyExcept(lease.Span[0]));
        return lease.Span[0];
    }
}
