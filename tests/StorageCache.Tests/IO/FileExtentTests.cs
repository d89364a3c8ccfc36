using Microsoft.Win32.SafeHandles;
using StorageCache.IO;
using StorageCache.Platform;
using StorageCache.Platform.Native;
using StorageCache.Tests.FileSystems;
using StorageCache.Tests.IO.Faults;
using StorageCache.Tests.Platform;
using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>Where a file's bytes lie: I/O-24, I/O-26, I/O-27.</summary>
public sealed class FileExtentTests
{
    private const int Page = ExtentScratch.Page;

    /// <summary>More extents than two calls bring.</summary>
    private const int Many = (2 * FileExtents.MostAtOnce) + 44;

    /// <summary>The file systems that share blocks, with each engine.</summary>
    public static IEnumerable<TheoryDataRow<string, IoEngine>> Sharing =>
        from fileSystem in new[] { FileSystem.Xfs, FileSystem.Btrfs }
        from engine in TestEngines.Each
        select new TheoryDataRow<string, IoEngine>(fileSystem, engine.Data) { Skip = engine.Skip };

    [Theory]
    [MemberData(nameof(Sharing))]
    public async Task A_clone_has_the_places_of_its_origin_until_it_is_written(string fileSystem, IoEngine engine)
    {
        using ExtentScratch scratch = new(fileSystem, engine);
        FileBlockDevice origin = scratch.Create("origin", 64);
        Assert.All(await ExtentScratch.PlacesOf(origin), place => Assert.False(place!.Value.IsShared));
        FileBlockDevice clone = await scratch.CloneAsync(origin, "clone");
        Assert.Equal(origin.ExtentSpace, clone.ExtentSpace);
        (long Physical, bool IsShared)?[] before = await ExtentScratch.PlacesOf(origin);
        Assert.Equal(64, before.Length);
        Assert.All(before, place => Assert.True(place!.Value.IsShared));
        Assert.Equal(before, await ExtentScratch.PlacesOf(clone));

        Assert.True(clone.IsDirect);
        ExtentScratch.Write(clone, 16 * Page, BlockDeviceTests.Pattern(8 * Page, 2));
        (long Physical, bool IsShared)?[] written = await ExtentScratch.PlacesOf(clone);
        (long Physical, bool IsShared)?[] kept = await ExtentScratch.PlacesOf(origin);
        for (int page = 0; page < 64; page++)
        {
            Assert.Equal(before[page]!.Value.Physical, kept[page]!.Value.Physical);
            bool isWritten = page is >= 16 and < 24;
            Assert.Equal(isWritten, written[page]!.Value.Physical != before[page]!.Value.Physical);
            Assert.Equal(!isWritten, written[page]!.Value.IsShared);
        }
    }

    /// <summary>
    /// Until the kernel writes a dirty page of its cache back, what it says of a shared block is what was there before: a file that
    /// has been written to would be taken for one that has not (I/O-24).
    /// </summary>
    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task What_lies_in_the_kernels_cache_is_given_its_place_first(string fileSystem)
    {
        using ExtentScratch scratch = new(fileSystem);
        FileBlockDevice origin = scratch.Create("origin", 64);
        FileBlockDevice clone = await scratch.CloneAsync(origin, "clone");
        (long Physical, bool IsShared)?[] before = await ExtentScratch.PlacesOf(clone);
        ExtentScratch.WriteBuffered(clone.Name, 16 * Page, BlockDeviceTests.Pattern(8 * Page, 2));
        ExtentScratch.WriteBuffered(clone.Name, 64 * Page, BlockDeviceTests.Pattern(4 * Page, 3));
        (long Physical, bool IsShared)?[] places = await ExtentScratch.PlacesOf(clone);
        Assert.Equal(68, places.Length);
        for (int page = 0; page < 68; page++)
        {
            if (page is (>= 16 and < 24) or >= 64)
            {
                Assert.False(places[page]!.Value.IsShared);
                Assert.DoesNotContain(places[page]!.Value.Physical, before.Select(place => place!.Value.Physical));
            }
            else
            {
                Assert.Equal(before[page], places[page]);
            }
        }
    }

    [Theory]
    [InlineData(FileSystem.Ext4)]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task Holes_are_not_listed_and_what_was_only_allocated_is_not_plain(string fileSystem)
    {
        using ExtentScratch scratch = new(fileSystem);
        FileBlockDevice device = scratch.Open("file");
        Assert.Empty(await ExtentScratch.ExtentsOf(device));
        await device.SetLengthAsync(64 * Page, default);
        await Task.Yield();
        Assert.Empty(await ExtentScratch.ExtentsOf(device));

        Assert.Null(MountedFileSystem.TryRun("fallocate", "--offset", $"{16 * Page}", "--length", $"{16 * Page}", device.Name));
        ExtentScratch.Write(device, 20 * Page, BlockDeviceTests.Pattern(4 * Page, 1));
        Extent[] extents = await ExtentScratch.ExtentsOf(device);
        Assert.Equal(16 * Page, extents[0].Logical);
        Assert.Equal(32 * Page, extents[^1].End);
        (long Physical, bool IsShared)?[] places = await ExtentScratch.PlacesOf(device);
        for (int page = 0; page < 64; page++)
        {
            Assert.Equal(page is >= 20 and < 24, places[page] is not null);
        }

        Assert.All(extents, extent => Assert.True(extent.IsPlain || extent.Physical == 0));
    }

    [Fact]
    public async Task Bytes_among_the_metadata_are_not_plain()
    {
        using ExtentScratch scratch = new(FileSystem.Btrfs);
        FileBlockDevice device = scratch.Open("file");
        ExtentScratch.WriteBuffered(device.Name, 0, "a few bytes"u8);
        Extent extent = Assert.Single(await ExtentScratch.ExtentsOf(device));
        Assert.Equal((0, false), (extent.Logical, extent.IsPlain));
    }

    [Fact]
    public async Task Compressed_bytes_are_not_plain_though_they_are_shared()
    {
        using ExtentScratch scratch = new(MountedFileSystem.Loop("btrfs", 64L << 20, "loop,compress-force=zlib", "--mixed"));
        FileBlockDevice origin = scratch.Open("origin");
        ExtentScratch.WriteBuffered(origin.Name, 0, new byte[64 * Page]);
        FileBlockDevice clone = await scratch.CloneAsync(origin, "clone");
        foreach (FileBlockDevice device in new[] { origin, clone })
        {
            Extent[] extents = await ExtentScratch.ExtentsOf(device);
            Assert.Equal(64 * Page, extents.Sum(extent => extent.Length));
            Assert.All(extents, extent => Assert.Equal((false, true), (extent.IsPlain, extent.IsShared)));
        }
    }

    [Theory]
    [InlineData(FileSystem.Ext4)]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task All_of_many_extents_are_listed(string fileSystem)
    {
        using ExtentScratch scratch = new(fileSystem);
        FileBlockDevice device = CreateMany(scratch);
        (long Physical, bool IsShared)?[] places = await ExtentScratch.PlacesOf(device);
        for (int page = 0; page < places.Length; page++)
        {
            Assert.Equal(page % 2 == 1, places[page] is not null);
        }

        Assert.Equal(Many, places.Where(place => place is not null).Distinct().Count());
    }

    [Theory]
    [InlineData(FileSystem.Ext4)]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task A_range_has_its_part_of_the_extents(string fileSystem)
    {
        using ExtentScratch scratch = new(fileSystem);
        FileBlockDevice device = scratch.Create("file", 64);
        Extent[] whole = await ExtentScratch.ExtentsOf(device);
        Extent[] part = await ExtentScratch.ExtentsOf(device, (7 * Page) + 100, (9 * Page) + 1);
        Assert.Equal((7 * Page) + 100, part[0].Logical);
        Assert.Equal((16 * Page) + 101, part[^1].End);
        Extent around = whole.Last(extent => extent.Logical <= part[0].Logical);
        Assert.Equal(around.Physical + (part[0].Logical - around.Logical), part[0].Physical);
        Assert.Empty(await ExtentScratch.ExtentsOf(device, 7 * Page, 0));
        Assert.Empty(await ExtentScratch.ExtentsOf(device, 1 << 30, long.MaxValue));
        Assert.Empty(await ExtentScratch.ExtentsOf(device, long.MaxValue - 1, 1));
    }

    /// <summary>I/O-26.</summary>
    [Theory]
    [InlineData(FileSystem.Ext4)]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    [InlineData(FileSystem.Tmpfs)]
    public void The_native_library_and_the_C_library_give_the_same_answers(string fileSystem)
    {
        NativeFact.Needs(NativeCapabilities.Extents);
        using ExtentScratch scratch = new(fileSystem);
        FileBlockDevice many = CreateMany(scratch);
        Assert.Null(MountedFileSystem.TryRun("fallocate", "--offset", $"{Many * 2 * Page}", "--length", $"{8 * Page}", many.Name));
        FileBlockDevice small = scratch.Open("small");
        ExtentScratch.WriteBuffered(small.Name, 0, "a few bytes"u8);
        foreach (SafeFileHandle file in new[] { many.File, small.File })
        {
            foreach (int capacity in new[] { 1, 36, 37, 100, FileExtents.MostAtOnce })
            {
                foreach (ulong start in new ulong[] { 0, 5 * Page, (20 * Page) + 1, Many * 2 * Page, 1UL << 62, long.MaxValue })
                {
                    foreach (ulong length in new ulong[] { 1, 10 * Page, ulong.MaxValue })
                    {
                        FileExtent[] native = new FileExtent[capacity];
                        FileExtent[] managed = new FileExtent[capacity];
                        int expected = FileExtents.GetByNativeLibrary(file, start, length, ExtentQueryFlags.Sync, native);
                        Assert.Equal(expected, FileExtents.GetByLibC(file, start, length, ExtentQueryFlags.Sync, managed));
                        Assert.Equal(native, managed);
                    }
                }
            }
        }
    }

    [Fact]
    public async Task Where_nothing_is_to_be_told_there_are_no_extents_and_no_error()
    {
        using ExtentScratch scratch = new(FileSystem.Tmpfs);
        Assert.Empty(await ExtentScratch.ExtentsOf(scratch.Create("file", 8)));
        using LoopDevice loop = LoopDevice.Over(scratch.PathOf("file"));
        FileBlockDevice disk = scratch.OpenPath(loop.Path, isReadOnly: true);
        Assert.Empty(await ExtentScratch.ExtentsOf(disk));
        Assert.Null(disk.ExtentSpace);
        disk.Close();
    }

    [Fact]
    public async Task What_the_disk_does_not_take_fails_the_asking()
    {
        using BrokenDisk disk = BrokenDisk.Create(32 << 20);
        using ExtentScratch scratch = new(MountedFileSystem.On(disk.Path, "ext4", "-b", "4096", "-O", "^has_journal", "-E", "lazy_itable_init=0"));
        FileBlockDevice device = scratch.Create("file", 4);
        disk.RefuseWrites();
        ExtentScratch.WriteBuffered(device.Name, 0, BlockDeviceTests.Pattern(64 * Page, 2));
        BlockIOException error = await Assert.ThrowsAsync<BlockIOException>(() => ExtentScratch.ExtentsOf(device));
        disk.TakeWrites();
        Assert.Equal(Errno.EIO, error.Errno);
        Assert.Contains($"Cannot get the extents of '{device.Name}'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_closed_file_and_senseless_ranges_are_refused()
    {
        using ExtentScratch scratch = new(FileSystem.Tmpfs);
        FileBlockDevice device = scratch.Create("file", 8);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => ExtentScratch.ExtentsOf(device, -1, 1));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => ExtentScratch.ExtentsOf(device, 0, -1));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ExtentScratch.ExtentsOf(device, 0, 1, new CancellationToken(canceled: true)));
        device.Close();
        BlockIOException error = await Assert.ThrowsAsync<BlockIOException>(() => ExtentScratch.ExtentsOf(device));
        Assert.Equal($"Cannot get the extents of '{device.Name}': the file is closed.", error.Message);
    }

    [Fact]
    public unsafe void The_kernels_structures_have_their_sizes()
    {
        Assert.Equal(32, sizeof(FiemapHeader));
        Assert.Equal(56, sizeof(FiemapExtent));
        Assert.Equal(28, sizeof(ExtendedFileAttributes));
        Assert.Equal(1024, sizeof(BtrfsStatus));
    }

    /// <summary>A file of which every second page is a hole.</summary>
    private static FileBlockDevice CreateMany(ExtentScratch scratch)
    {
        FileBlockDevice device = scratch.Open("many");
        byte[] bytes = BlockDeviceTests.Pattern(Page, 1);
        for (int page = 0; page < Many; page++)
        {
            ExtentScratch.Write(device, ((page * 2) + 1) * Page, bytes);
        }

        return device;
    }
}
