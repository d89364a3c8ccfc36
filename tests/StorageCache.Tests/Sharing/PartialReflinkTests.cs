using StorageCache.Tests.FileSystems;
using StorageCache.Tests.IO;
using Xunit;
using static StorageCache.Tests.Sharing.SharingScratch;

namespace StorageCache.Tests.Sharing;

/// <summary>Files that have only some blocks in common, and not at the same places.</summary>
/// <remarks>SH-1.</remarks>
public sealed class PartialReflinkTests
{
    private const int Block = 4096;
    private const int Blocks = 256;

    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task Exactly_the_common_pages_share(string type)
    {
        await using SharingScratch scratch = new(type);
        (byte[] a, byte[] b) = (scratch.Create("a", Blocks * Block), scratch.Create("b", Blocks * Block, 2));
        Range(10, 100, 20);
        Range(100, 10, 1);
        Range(101, 12, 3);
        Range(250, 0, 6);
        Mapping first = await scratch.OpenAsync("a");
        AssertHolds(first, a);
        Mapping second = await scratch.OpenAsync("b");
        long read = scratch.BytesRead;
        AssertHolds(second, b);
        Assert.Equal(30, scratch.SharedFrames);
        Assert.Equal(read + ((Blocks - 30) * Block), scratch.BytesRead);
        await scratch.CheckAsync("read");

        void Range(int from, int to, int count)
        {
            scratch.ReflinkRange("a", from * Block, "b", to * Block, count * Block);
            a.AsSpan(from * Block, count * Block).CopyTo(b.AsSpan(to * Block));
        }
    }

    /// <summary>With pages of several blocks, a page shares only if all of its blocks do, in its own order, and begin a page in both.</summary>
    [Theory]
    [InlineData(FileSystem.Xfs, 0, 0, 64, 16)]
    [InlineData(FileSystem.Btrfs, 0, 0, 64, 16)]
    [InlineData(FileSystem.Xfs, 4, 40, 64, 16)]
    [InlineData(FileSystem.Xfs, 4, 41, 64, 0)]
    [InlineData(FileSystem.Btrfs, 4, 41, 64, 0)]
    [InlineData(FileSystem.Btrfs, 5, 42, 64, 0)]
    [InlineData(FileSystem.Xfs, 5, 41, 64, 15)]
    [InlineData(FileSystem.Btrfs, 7, 43, 65, 16)]
    [InlineData(FileSystem.Xfs, 6, 6, 5, 0)]
    [InlineData(FileSystem.Xfs, 6, 6, 6, 1)]
    public async Task A_page_of_several_blocks_shares_whole_or_not_at_all(string type, int from, int to, int count, int shared)
    {
        await using SharingScratch scratch = new(type, pageSize: 4 * Block);
        (byte[] a, byte[] b) = (scratch.Create("a", Blocks * Block), scratch.Create("b", Blocks * Block, 2));
        scratch.ReflinkRange("a", from * Block, "b", to * Block, count * Block);
        a.AsSpan(from * Block, count * Block).CopyTo(b.AsSpan(to * Block));
        Mapping first = await scratch.OpenAsync("a");
        Mapping second = await scratch.OpenAsync("b");
        AssertHolds(second, b);
        AssertHolds(first, a);
        Assert.Equal(shared, scratch.SharedFrames);
        await scratch.CheckAsync("read");
    }

    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task A_block_may_be_in_a_file_more_than_once(string type)
    {
        await using SharingScratch scratch = new(type);
        (byte[] a, byte[] b) = (scratch.Create("a", 64 * Block), scratch.Create("b", 64 * Block, 2));
        foreach ((string to, byte[] bytes) in new[] { ("a", a), ("b", b) })
        {
            foreach (int place in new[] { 8, 24, 63 })
            {
                scratch.ReflinkRange("a", 3 * Block, to, place * Block, Block);
                a.AsSpan(3 * Block, Block).CopyTo(bytes.AsSpan(place * Block));
            }
        }

        Mapping first = await scratch.OpenAsync("a");
        Mapping second = await scratch.OpenAsync("b");
        AssertHolds(first, a);
        long read = scratch.BytesRead;
        AssertHolds(second, b);
        Assert.Equal(read + (61 * Block), scratch.BytesRead);
        Write(first, a, 3, 77);
        Write(second, b, 24, 78);
        Write(first, a, 63, 79);
        AssertHolds(first, a);
        AssertHolds(second, b);
        await first.FlushAsync();
        await second.FlushAsync();
        Evict(first);
        AssertHolds(second, b);
        Evict(second);
        AssertHolds(second, b);
        AssertHolds(first, a);
        await scratch.CheckAsync("written");
    }

    /// <summary>Files that are made of pieces of each other by chance, and written in between, are what a model of them is.</summary>
    [Theory]
    [InlineData(FileSystem.Xfs, 4096)]
    [InlineData(FileSystem.Btrfs, 4096)]
    [InlineData(FileSystem.Xfs, 8192)]
    [InlineData(FileSystem.Btrfs, 8192)]
    public async Task Pieces_of_many_files_by_chance_are_right(string type, int pageSize)
    {
        const int Files = 6;
        Random random = new(pageSize);
        await using SharingScratch scratch = new(type, pageSize);
        byte[][] models = [.. Enumerable.Range(0, Files).Select(file => scratch.Create(Name(file), 64 * Block, file))];
        List<string> pieces = [];
        for (int round = 0; round < 5; round++)
        {
            for (int piece = 0; piece < 12; piece++)
            {
                int from = random.Next(Files);
                int to = (from + random.Next(1, Files)) % Files;
                int count = random.Next(1, 24);
                int source = random.Next(64 - count);
                int target = random.Next(3) == 0 ? random.Next(64 - count) : source;
                scratch.ReflinkRange(Name(from), source * Block, Name(to), target * Block, count * Block);
                models[from].AsSpan(source * Block, count * Block).CopyTo(models[to].AsSpan(target * Block));
            }

            Mapping[] mappings = new Mapping[Files];
            foreach (int file in Shuffled())
            {
                mappings[file] = await scratch.OpenAsync(Name(file));
                if (random.Next(2) == 0)
                {
                    AssertHolds(mappings[file], models[file]);
                }
            }

            foreach (int file in Shuffled())
            {
                AssertHolds(mappings[file], models[file]);
                for (int write = 0; write < 3; write++)
                {
                    Write(mappings[file], models[file], random.Next(64 * Block / pageSize), random.Next());
                }

                if (random.Next(2) == 0)
                {
                    await mappings[file].FlushAsync();
                    Evict(mappings[file]);
                }
            }

            foreach (int file in Shuffled())
            {
                AssertHolds(mappings[file], models[file]);
            }

            Assert.True(scratch.SharedFrames > 0);
            await scratch.CheckAsync($"round {round}");
            foreach (int file in Shuffled())
            {
                await mappings[file].CloseAsync();
            }
        }

        int[] Shuffled() => [.. Enumerable.Range(0, Files).OrderBy(_ => random.Next())];
        static string Name(int file) => $"file{file}";
    }

    /// <summary>Blocks smaller than a page: extents begin and end within pages.</summary>
    [Theory]
    [InlineData(1024)]
    [InlineData(2048)]
    public async Task Blocks_smaller_than_a_page_share_whole_pages_only(int block)
    {
        await using SharingScratch scratch = new(MountedFileSystem.Loop("xfs", 320L << 20, "loop", "-b", $"size={block}"));
        const int Bytes = 64 * PageSize;
        (byte[] a, byte[] b) = (scratch.Create("a", Bytes), scratch.Create("b", Bytes, 2));
        Range(block, block, 8 * PageSize);
        Range(20 * PageSize, 30 * PageSize, (2 * PageSize) - block);
        Range(40 * PageSize, (40 * PageSize) + block, 8 * PageSize);
        Mapping first = await scratch.OpenAsync("a");
        Mapping second = await scratch.OpenAsync("b");
        AssertHolds(first, a);
        AssertHolds(second, b);

        // Pages 1 to 7 of the first piece, the first of the second, and none of the one that is out of step.
        Assert.Equal(8, scratch.SharedFrames);
        Write(first, a, 4, 4);
        Write(second, b, 5, 5);
        await first.FlushAsync();
        await second.FlushAsync();
        scratch.Reflink("a", "c");
        Mapping third = await scratch.OpenAsync("c");
        AssertHolds(third, a);
        Assert.Equal(64, scratch.SharedFrames);
        AssertHolds(second, b);
        Evict(first);
        Evict(second);
        Evict(third);
        AssertHolds(second, b);
        AssertHolds(third, a);
        AssertHolds(first, a);
        await scratch.CheckAsync("read");

        void Range(int from, int to, int count)
        {
            scratch.ReflinkRange("a", from, "b", to, count);
            a.AsSpan(from, count).CopyTo(b.AsSpan(to));
        }
    }
}
