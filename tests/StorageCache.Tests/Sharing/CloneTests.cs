using StorageCache.IO;
using StorageCache.Tests.FileSystems;
using StorageCache.Tests.Harness;
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

    [Fact]
    public async Task Where_there_are_no_reflinks_a_clone_is_a_copy_and_says_why()
    {
        using MountedFileSystem disk = FileSystem.Mount(FileSystem.Ext4);
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 4 << 20 });
        Mapping source = await cache.OpenAsync(Path.Combine(disk.Path, "source"));
        for (long page = 0; page < 1500; page++)
        {
            Write(source, page, (byte)(page % 250));
        }

        await source.TruncateAsync((1499 * PageSize) + 777);
        MappingClone clone = await source.CloneAsync(Path.Combine(disk.Path, "clone"));
        Assert.False(clone.IsReflink);
        Assert.Contains("reflink", clone.WhyNot, StringComparison.Ordinal);
        Assert.Equal((1499 * PageSize) + 777, clone.Mapping.Length);
        await clone.Mapping.CloseAsync();
        await source.CloseAsync();
        byte[] bytes = await File.ReadAllBytesAsync(Path.Combine(disk.Path, "clone"));
        Assert.Equal(bytes, await File.ReadAllBytesAsync(Path.Combine(disk.Path, "source")));
        Assert.Equal((1499 * PageSize) + 777, bytes.Length);
    }

    [Fact]
    public async Task A_device_of_the_hosts_is_copied_to_a_file()
    {
        using ScratchDirectory directory = new();
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 4 << 20 });
        Mapping source = await cache.OpenAsync(new MemoryBlockDevice("memory"));
        Write(source, 2, 5);
        MappingClone clone = await source.CloneAsync(directory.File("clone"));
        Assert.False(clone.IsReflink);
        Assert.Equal(5, Read(clone.Mapping, 2));
        Assert.Equal(0, Read(clone.Mapping, 1));
    }

    [Fact]
    public async Task A_clone_that_cannot_be_finished_leaves_nothing_behind()
    {
        using ScratchDirectory directory = new();
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 4 << 20 });
        ScriptedDevice device = new(pages: 8) { Fault = call => call.Operation == BlockOperation.Read && call.Offset == 5 * PageSize ? new IOException("broken") : null };
        Mapping source = await cache.OpenAsync(device, new MappingOptions { AccessPattern = AccessPattern.Random });
        await Assert.ThrowsAsync<PageReadException>(async () => await source.CloneAsync(directory.File("clone")));
        Assert.False(File.Exists(directory.File("clone")));

        await File.WriteAllTextAsync(directory.File("theirs"), "kept");
        await Assert.ThrowsAnyAsync<IOException>(async () => await source.CloneAsync(directory.File("theirs")));
        Assert.Equal("kept", await File.ReadAllTextAsync(directory.File("theirs")));

        device.Fault = null;
        Assert.Equal(0, Read((await source.CloneAsync(directory.File("clone"))).Mapping, 5));
        using CancellationTokenSource cancelled = new();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await source.CloneAsync(directory.File("another"), cancelled.Token));
        Assert.False(File.Exists(directory.File("another")));
        await source.CloseAsync();
        await Assert.ThrowsAsync<MappingClosedException>(async () => await source.CloneAsync(directory.File("another")));
    }

    [Fact]
    public async Task A_copy_that_finds_no_room_on_the_device_leaves_nothing_behind()
    {
        using MountedFileSystem disk = FileSystem.Mount(FileSystem.Ext4);
        disk.FillUp(Path.Combine(disk.Path, "ballast"));
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 4 << 20 });
        Mapping source = await cache.OpenAsync(new MemoryBlockDevice("memory", 64 * PageSize));
        await Assert.ThrowsAsync<PageWriteException>(async () => await source.CloneAsync(Path.Combine(disk.Path, "clone")));
        Assert.False(File.Exists(Path.Combine(disk.Path, "clone")));
        Assert.Equal([source], cache.Core.OpenMappings());
        Assert.Equal(0, cache.GetStatistics().DirtyPages);
    }

    [Theory]
    [MemberData(nameof(FileSystems))]
    public async Task Clones_of_clones_share_what_none_of_them_has_changed(string type)
    {
        using MountedFileSystem disk = FileSystem.Mount(type);
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 32 << 20, WriteBackInterval = TimeSpan.FromHours(1) });
        List<Mapping> files = [await cache.OpenAsync(Path.Combine(disk.Path, "0"))];
        for (long page = 0; page < Pages; page++)
        {
            Write(files[0], page, 100);
        }

        for (int i = 1; i < 6; i++)
        {
            // Each changes a page of its own before it is cloned, and its clones have the change.
            Write(files[^1], i, (byte)i);
            files.Add((await files[^1].CloneAsync(Path.Combine(disk.Path, $"{i}"))).Mapping);
        }

        for (int i = 0; i < files.Count; i++)
        {
            for (long page = 0; page < Pages; page++)
            {
                // Clone i has what files before it changed; file i itself has changed page i + 1 as well, but for the last.
                int changedUpTo = i == files.Count - 1 ? i : i + 1;
                byte expected = page >= 1 && page <= changedUpTo ? (byte)page : (byte)100;
                Assert.Equal(expected, Read(files[i], page));
            }
        }

        // One frame for each page, and for each change one more for those that came before it: nobody came before the first.
        Assert.Equal(Pages + 4, cache.Core.Frames.Active - cache.Core.Frames.FreeCount);
        await Quiet.CheckAsync(cache, "cloned");
    }

    [Fact]
    public async Task A_copy_for_which_there_is_no_room_is_gone_and_holds_nothing_up()
    {
        using MountedFileSystem disk = MountedFileSystem.Tmpfs(64 << 20);
        using MountedFileSystem small = MountedFileSystem.Tmpfs(PageSize * Pages / 2);
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 32 << 20, WriteBackInterval = TimeSpan.FromHours(1) });
        Mapping source = await cache.OpenAsync(Path.Combine(disk.Path, "source"));
        for (long page = 0; page < Pages; page++)
        {
            Write(source, page, (byte)(page % 250));
        }

        await Assert.ThrowsAsync<PageWriteException>(async () => await source.CloneAsync(Path.Combine(small.Path, "clone")));
        Assert.Empty(Directory.EnumerateFileSystemEntries(small.Path));
        Assert.Equal(0, cache.GetStatistics().DirtyPages);

        Mapping another = await cache.OpenAsync(Path.Combine(small.Path, "another"));
        Write(another, 0, 1);
        await another.CloseAsync();
        await source.CloseAsync();
        await Quiet.CheckAsync(cache, "not cloned");
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
