using StorageCache.Tests.FileSystems;
using StorageCache.Tests.IO;
using Xunit;
using static StorageCache.Tests.Sharing.SharingScratch;

namespace StorageCache.Tests.Sharing;

/// <summary>What never shares: extents that are not plain blocks, and mappings that do not take part.</summary>
/// <remarks>SH-1, SH-6.</remarks>
public sealed class UnsharedExtentTests
{
    private const int Pages = 64;

    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task What_was_only_allocated_does_not_share(string type)
    {
        await using SharingScratch scratch = new(type);
        scratch.Run("fallocate", "--length", $"{Pages * PageSize}", scratch.PathOf("a"));
        byte[] model = new byte[Pages * PageSize];
        scratch.Reflink("a", "b");
        Mapping a = await scratch.OpenAsync("a");
        Mapping b = await scratch.OpenAsync("b");
        AssertHolds(a, model);
        AssertHolds(b, model);
        Assert.Equal(0, scratch.SharedFrames);
        byte[] written = [.. model];
        Write(a, written, 5, 5);
        await a.FlushAsync();
        Evict(a);
        Evict(b);
        AssertHolds(a, written);
        AssertHolds(b, model);
        Assert.Equal(0, scratch.SharedFrames);
        await scratch.CheckAsync("read");
    }

    /// <summary>Bytes that the kernel's cache holds over a shared block are the file's, and have no place yet.</summary>
    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task What_is_dirty_in_the_kernels_cache_does_not_share(string type)
    {
        await using SharingScratch scratch = new(type);
        byte[] a = scratch.Create("a", Pages * PageSize);
        byte[] b = [.. a];
        scratch.Reflink("a", "b");
        byte[] news = Content(8 * PageSize, 9);
        ExtentScratch.WriteBuffered(scratch.PathOf("b"), 16 * PageSize, news);
        news.CopyTo(b, 16 * PageSize);
        Mapping first = await scratch.OpenAsync("a");
        AssertHolds(first, a);
        Mapping second = await scratch.OpenAsync("b");
        AssertHolds(second, b);
        Assert.Equal(Pages - 8, scratch.SharedFrames);
        await scratch.CheckAsync("read");
    }

    [Fact]
    public async Task Bytes_among_the_metadata_do_not_share()
    {
        // More than there is of a page, so that it is not for its length alone that they do not.
        await using SharingScratch scratch = new(FileSystem.Btrfs);
        byte[] small = scratch.Create("a", 1500);
        scratch.Reflink("a", "b");
        Mapping a = await scratch.OpenAsync("a");
        Mapping b = await scratch.OpenAsync("b");
        AssertHolds(a, small);
        AssertHolds(b, small);
        byte[] longer = [.. small, .. new byte[(4 * PageSize) - 1500]];
        await a.ExtendAsync(longer.Length);
        await b.ExtendAsync(longer.Length);
        AssertHolds(a, longer);
        AssertHolds(b, longer);
        Assert.Equal(0, scratch.SharedFrames);
        await scratch.CheckAsync("extended");
    }

    [Theory]
    [InlineData("zlib")]
    [InlineData("lzo")]
    [InlineData("zstd")]
    public async Task Compressed_bytes_do_not_share(string method)
    {
        await using SharingScratch scratch = new(MountedFileSystem.Loop("btrfs", 64L << 20, $"loop,compress-force={method}", "--mixed"));
        byte[] model = new byte[Pages * PageSize];
        for (int i = 0; i < model.Length; i++)
        {
            model[i] = (byte)(i / PageSize);
        }

        File.WriteAllBytes(scratch.PathOf("a"), model);
        scratch.Run("sync", "--file-system", scratch.PathOf("a"));
        scratch.Reflink("a", "b");
        Mapping a = await scratch.OpenAsync("a");
        Mapping b = await scratch.OpenAsync("b");
        AssertHolds(a, model);
        AssertHolds(b, model);
        Assert.Equal(0, scratch.SharedFrames);
        byte[] written = [.. model];
        Write(b, written, 9, 9);
        await b.FlushAsync();
        Evict(b);
        Evict(a);
        AssertHolds(b, written);
        AssertHolds(a, model);
        await scratch.CheckAsync("read");
    }

    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task Holes_do_not_share(string type)
    {
        await using SharingScratch scratch = new(type);
        byte[] model = new byte[Pages * PageSize];
        using (FileStream file = File.Create(scratch.PathOf("a")))
        {
            file.SetLength(model.Length);
        }

        byte[] part = Content(4 * PageSize, 1);
        ExtentScratch.WriteBuffered(scratch.PathOf("a"), 20 * PageSize, part);
        part.CopyTo(model, 20 * PageSize);
        scratch.Reflink("a", "b");
        Mapping a = await scratch.OpenAsync("a");
        Mapping b = await scratch.OpenAsync("b");
        AssertHolds(a, model);
        AssertHolds(b, model);
        Assert.Equal(4, scratch.SharedFrames);
        await scratch.CheckAsync("read");
    }

    public static TheoryData<string, string> Apart
    {
        get
        {
            TheoryData<string, string> rows = [];
            foreach (string type in new[] { FileSystem.Xfs, FileSystem.Btrfs })
            {
                foreach (string why in new[] { "not exclusive", "opted out", "another domain", "a domain without extents" })
                {
                    rows.Add(type, why);
                }
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Apart))]
    public async Task Mappings_that_do_not_take_part_do_not_share(string type, string why)
    {
        await using SharingScratch scratch = new(type);
        byte[] model = scratch.Create("a", Pages * PageSize);
        scratch.Reflink("a", "b");
        scratch.Reflink("a", "c");
        Mapping a = await scratch.OpenAsync("a");
        AssertHolds(a, model);
        Mapping b = await OpenApartAsync("b");
        Mapping c = await OpenApartAsync("c");
        AssertHolds(b, model);
        bool areTogether = why == "another domain";
        Assert.Equal(0, scratch.SharedFrames);
        long read = scratch.BytesRead;
        AssertHolds(c, model);
        Assert.Equal(areTogether ? Pages : 0, scratch.SharedFrames);
        Assert.Equal(areTogether ? read : read + model.Length, scratch.BytesRead);
        byte[] written = [.. model];
        Write(b, written, 1, 1);
        await b.FlushAsync();
        Evict(a);
        Evict(b);
        Evict(c);
        AssertHolds(a, model);
        AssertHolds(b, written);
        AssertHolds(c, model);
        await scratch.CheckAsync(why);

        Task<Mapping> OpenApartAsync(string name) => why switch
        {
            "not exclusive" => scratch.OpenAsync(name, isExclusive: false),
            "opted out" => scratch.OpenAsync(name, shares: false),
            "another domain" => scratch.OpenAsync(name, domain: s_other),
            _ => scratch.OpenAsync(name, domain: s_without),
        };
    }

    private static readonly SharingDomain s_other = new("other");
    private static readonly SharingDomain s_without = new("without extents") { SharesExtents = false };

    /// <summary>Two file systems that hold the same, block by block, are two: their addresses mean nothing to each other.</summary>
    [Theory]
    [InlineData("xfs", "loop,nouuid")]
    [InlineData("btrfs", "loop")]
    public async Task A_file_system_and_its_copy_do_not_share(string type, string options)
    {
        MountedFileSystem disk = FileSystem.Mount(type);
        await using SharingScratch scratch = new(disk);
        byte[] model = scratch.Create("a", Pages * PageSize);
        scratch.Reflink("a", "b");
        using MountedFileSystem copy = disk.Copy(type, options);
        byte[] other = [.. model];
        byte[] news = Content(Pages * PageSize, 5);
        string path = Path.Combine(copy.Path, "a");
        using (FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0))
        {
            file.Write(news);
            file.Flush(flushToDisk: true);
        }

        Mapping a = await scratch.OpenAsync("a");
        Mapping b = await scratch.OpenAsync("b");
        Mapping copied = await scratch.Cache.OpenAsync(path);
        Mapping copiedClone = await scratch.Cache.OpenAsync(Path.Combine(copy.Path, "b"));
        AssertHolds(a, model);
        AssertHolds(copied, news);
        AssertHolds(copiedClone, other);
        AssertHolds(b, model);
        Assert.Equal(Pages, scratch.SharedFrames);
        await copied.CloseAsync();
        await copiedClone.CloseAsync();
        await scratch.CheckAsync("read");
    }
}
