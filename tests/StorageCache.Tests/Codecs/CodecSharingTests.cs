using StorageCache.Tests.FileSystems;
using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Codecs;

/// <remarks>PC-1, PC-6, PC-10, SH-10.</remarks>
public sealed class CodecSharingTests
{
    private const int Pages = 64;

    private static readonly SharingDomain s_content = new("content") { SharesContent = true };

    public static TheoryData<string, string> Reflinks => new() { { "xfs", "checksum" }, { "xfs", "aes" }, { "btrfs", "checksum" }, { "btrfs", "aes" } };

    [Theory]
    [MemberData(nameof(Reflinks))]
    public async Task A_clone_has_its_sources_codec_and_its_pages_in_memory(string type, string kind)
    {
        using MountedFileSystem disk = FileSystem.Mount(type);
        await using PageCache cache = Open();
        PageCodec codec = TestCodecs.Make(kind);
        Mapping source = await cache.OpenAsync(Path.Combine(disk.Path, "source"), Options(codec));
        await FillAsync(source);
        MappingClone clone = await source.CloneAsync(Path.Combine(disk.Path, "clone"));
        Assert.True(clone.IsReflink, clone.WhyNot);
        Assert.Same(codec, clone.Mapping.Codec);
        long reads = cache.GetStatistics().Reads;
        AssertHolds(clone.Mapping);
        Assert.Equal(reads, cache.GetStatistics().Reads);
        Assert.Equal(Pages, cache.GetStatistics().SharedFrames);

        Write(source, 3, 201);
        Write(clone.Mapping, 4, 202);
        Assert.Equal(4, Read(clone.Mapping, 3));
        Assert.Equal(5, Read(source, 4));
        await cache.FlushAsync();
        clone.Mapping.DontNeed(0, Pages);
        source.DontNeed(0, Pages);
        Assert.Equal(4, Read(clone.Mapping, 3));
        Assert.Equal(202, Read(clone.Mapping, 4));
        Assert.Equal(201, Read(source, 3));
        await Quiet.CheckAsync(cache, "cloned");
    }

    [Theory]
    [MemberData(nameof(Reflinks))]
    public async Task Reflinks_share_with_equal_codecs_only(string type, string kind)
    {
        using MountedFileSystem disk = FileSystem.Mount(type);
        string[] paths = [.. Enumerable.Range(0, 4).Select(i => Path.Combine(disk.Path, $"file{i}"))];
        await using (PageCache cache = Open())
        {
            Mapping mapping = await cache.OpenAsync(paths[0], Options(TestCodecs.Make(kind)));
            await FillAsync(mapping);
            await mapping.CloseAsync();
        }

        foreach (string path in paths[1..])
        {
            Assert.Null(MountedFileSystem.TryRun("cp", "--reflink=always", paths[0], path));
        }

        await using (PageCache cache = Open())
        {
            Mapping one = await cache.OpenAsync(paths[0], Options(TestCodecs.Make(kind)));
            Mapping equal = await cache.OpenAsync(paths[1], Options(TestCodecs.Make(kind)));
            Mapping plain = await cache.OpenAsync(paths[2], Options(null));
            Mapping different = await cache.OpenAsync(paths[3], Options(TestCodecs.Make(kind, TestCodecs.OtherFileId)));
            AssertHolds(one);
            long reads = cache.GetStatistics().Reads;
            AssertHolds(equal);
            Assert.Equal(reads, cache.GetStatistics().Reads);
            Assert.Equal(Pages, cache.GetStatistics().SharedFrames);

            // The same blocks, but not the same pages.
            Assert.Throws<PageCorruptException>(() => different.Read(3));
            using (PageReadLease lease = plain.Read(3))
            {
                Assert.Equal(4096, lease.Span.Length);
                Assert.Equal(4, TestCodecs.Decode(TestCodecs.Make(kind), 3, lease.Span)[0]);
            }

            Assert.True(cache.GetStatistics().RefusalsOf(ProtectionRefusal.OptedOut) > 0);
            Assert.Equal(Pages, cache.GetStatistics().SharedFrames);
            await Quiet.CheckAsync(cache, "opened");
        }
    }

    /// <summary>A block of another page's, be it of the same file, is not the page, although it is in memory.</summary>
    [Theory]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public async Task A_block_that_lies_at_another_page_is_not_shared(string type)
    {
        using MountedFileSystem disk = FileSystem.Mount(type);
        string path = Path.Combine(disk.Path, "file");
        string other = Path.Combine(disk.Path, "other");
        ChecksumPageCodec codec = new(TestCodecs.FileId);
        await using (PageCache cache = Open())
        {
            Mapping mapping = await cache.OpenAsync(path, Options(codec));
            await FillAsync(mapping);
            await mapping.CloseAsync();
        }

        // Pages 0 to 15 as they are, and then again in another place.
        Assert.Null(MountedFileSystem.TryRun("xfs_io", "-f", "-c", $"reflink {path} 0 0 {16 * 4096}", "-c", $"reflink {path} 0 {16 * 4096} {16 * 4096}", other));
        await using (PageCache cache = Open())
        {
            Mapping one = await cache.OpenAsync(path, Options(codec));
            AssertHolds(one);
            Mapping two = await cache.OpenAsync(other, Options(codec));
            long reads = cache.GetStatistics().Reads;
            for (int page = 0; page < 16; page++)
            {
                Assert.Equal((byte)(page + 1), Read(two, page));
            }

            Assert.Equal(reads, cache.GetStatistics().Reads);
            for (int page = 16; page < 32; page++)
            {
                Assert.Throws<PageCorruptException>(() => two.Read(page));
            }

            await Quiet.CheckAsync(cache, "opened");
        }
    }

    [Fact]
    public async Task Where_there_are_no_reflinks_a_clone_is_encoded_anew()
    {
        using ScratchDirectory directory = new();
        await using PageCache cache = Open();
        PageCodec codec = TestCodecs.Make("aes");
        Mapping source = await cache.OpenAsync(new StorageCache.IO.MemoryBlockDevice("memory"), Options(codec));
        await FillAsync(source);
        MappingClone clone = await source.CloneAsync(directory.File("clone"));
        Assert.False(clone.IsReflink);
        await clone.Mapping.CloseAsync();
        Mapping again = await cache.OpenAsync(directory.File("clone"), Options(codec));
        AssertHolds(again);
    }

    /// <remarks>PC-6: pages are equal in memory, however they were stored.</remarks>
    [Fact]
    public async Task Pages_with_equal_content_have_one_frame_whatever_their_codecs()
    {
        await using PageCache cache = Open();
        Mapping[] mappings = [
            await cache.OpenAsync(new StorageCache.IO.MemoryBlockDevice("aes"), Options(TestCodecs.Make("aes"), s_content)),
            await cache.OpenAsync(new StorageCache.IO.MemoryBlockDevice("other aes"), Options(TestCodecs.Make("aes", TestCodecs.OtherFileId), s_content)),
            await cache.OpenAsync(new StorageCache.IO.MemoryBlockDevice("scripted"), Options(new ScriptedCodec(TestCodecs.FileId, trailer: 28), s_content)),
        ];
        foreach (Mapping mapping in mappings)
        {
            await FillAsync(mapping);
            mapping.DontNeed(0, Pages);
        }

        Wait.Until(() => mappings.All(mapping => { mapping.DontNeed(0, Pages); return mapping.ResidentPages == 0; }), "all pages to go");
        foreach (Mapping mapping in mappings)
        {
            AssertHolds(mapping);
        }

        Assert.Equal(Pages, cache.GetStatistics().SharedFrames);
        Write(mappings[0], 3, 200);
        await cache.FlushAsync();
        Assert.Equal(4, Read(mappings[1], 3));
        await Quiet.CheckAsync(cache, "shared");
    }

    /// <remarks>PC-6: all pages of zeros have one frame, be they of a hole or encoded.</remarks>
    [Fact]
    public async Task Zeros_have_one_frame_whether_they_are_encoded_or_a_hole()
    {
        await using PageCache cache = Open();
        Mapping mapping = await cache.OpenAsync(new StorageCache.IO.MemoryBlockDevice("memory", Pages * 4096), Options(TestCodecs.Make("aes"), s_content));
        for (int page = 0; page < Pages; page += 2)
        {
            mapping.WriteNew(page).Dispose();
        }

        await mapping.FlushAsync();
        Wait.Until(() => { mapping.DontNeed(0, Pages); return mapping.ResidentPages == 0; }, "all pages to go");
        for (int page = 0; page < Pages; page++)
        {
            Assert.Equal(0, Read(mapping, page));
        }

        Assert.Equal(1, cache.GetStatistics().SharedFrames);
        Assert.Equal(Pages, mapping.ResidentPages);
    }

    /// <remarks>PC-1: what is hashed, and what is found to be equal, are decoded bytes, and never those of a page that is corrupt.</remarks>
    [Fact]
    public async Task A_corrupt_page_is_found_by_nobody()
    {
        await using PageCache cache = Open();
        ChecksumPageCodec codec = new(TestCodecs.FileId);
        StorageCache.IO.MemoryBlockDevice device = new("memory", 2 * 4096);
        byte[] stored = TestCodecs.Encode(codec, 1, 9);
        device.Write(4096, stored);
        Mapping mapping = await cache.OpenAsync(device, Options(codec, s_content));
        Assert.Equal(9, Read(mapping, 1));
        long hashed = cache.GetStatistics().PagesHashed;
        device.Write(0, stored);
        Assert.Throws<PageCorruptException>(() => mapping.Read(0));
        Assert.Equal(hashed, cache.GetStatistics().PagesHashed);
        Assert.Equal(0, cache.GetStatistics().SharedFrames);
    }

    private static PageCache Open() => new(new PageCacheOptions { MemoryLimit = 16 << 20, WriteBackInterval = TimeSpan.FromHours(1), ScanPagesPerSecond = 0, Guarded = true });

    private static MappingOptions Options(PageCodec? codec, SharingDomain? domain = null) =>
        new() { Codec = codec, AccessPattern = AccessPattern.Random, SharingDomain = domain };

    private static async Task FillAsync(Mapping mapping)
    {
        for (int page = 0; page < Pages; page++)
        {
            using PageWriteLease lease = mapping.WriteNew(page);
            lease.Span.Fill((byte)(page + 1));
        }

        await mapping.FlushAsync();
    }

    private static void AssertHolds(Mapping mapping)
    {
        for (int page = 0; page < Pages; page++)
        {
            Assert.Equal((byte)(page + 1), Read(mapping, page));
        }
    }

    private static byte Read(Mapping mapping, long page)
    {
        using PageReadLease lease = mapping.Read(page);
        Assert.True(lease.Span.IndexOfAnyExcept(lease.Span[0]) < 0, $"page {page} is torn");
        return lease.Span[0];
    }

    private static void Write(Mapping mapping, long page, byte value)
    {
        using PageWriteLease lease = mapping.Write(page);
        lease.Span.Fill(value);
        lease.MarkDirty();
    }
}
