using StorageCache.IO;
using StorageCache.Tests.FileSystems;
using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>I/O-25: within one space, an address names one block.</summary>
public sealed class ExtentSpaceTests
{
    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public void Files_of_one_file_system_have_one_space_and_those_of_two_have_two(string fileSystem)
    {
        using ExtentScratch first = new(fileSystem);
        using ExtentScratch second = new(fileSystem);
        ExtentSpace? space = first.Open("file").ExtentSpace;
        Assert.NotNull(space);
        Assert.Equal(space, first.Open("other").ExtentSpace);
        Assert.Equal(space, first.Open("other", isReadOnly: true).ExtentSpace);
        ExtentSpace? other = second.Open("file").ExtentSpace;
        Assert.NotNull(other);
        Assert.NotEqual(space, other);
        Assert.NotEqual(space.ToString(), other.ToString());
    }

    [Fact]
    public async Task Subvolumes_have_the_space_of_their_file_system()
    {
        using ExtentScratch scratch = new(FileSystem.Btrfs);
        Assert.Null(MountedFileSystem.TryRun("btrfs", "subvolume", "create", scratch.PathOf("volume")));
        FileBlockDevice origin = scratch.Create("volume/file", 64);
        Assert.Null(MountedFileSystem.TryRun("btrfs", "subvolume", "snapshot", scratch.PathOf("volume"), scratch.PathOf("snapshot")));
        FileBlockDevice snapshot = scratch.Open("snapshot/file");
        Assert.NotEqual(origin.Identity with { Inode = 0 }, snapshot.Identity with { Inode = 0 });
        Assert.NotNull(origin.ExtentSpace);
        Assert.Equal(origin.ExtentSpace, snapshot.ExtentSpace);
        Assert.Equal(origin.ExtentSpace, scratch.Open("file").ExtentSpace);
        (long Physical, bool IsShared)?[] places = await ExtentScratch.PlacesOf(origin);
        Assert.All(places, place => Assert.True(place!.Value.IsShared));
        Assert.Equal(places, await ExtentScratch.PlacesOf(snapshot));
    }

    /// <summary>As of a volume and its snapshot: the same identifiers, the same addresses, and other blocks.</summary>
    [Theory]
    [InlineData(FileSystem.Xfs, "loop,nouuid")]
    [InlineData(FileSystem.Btrfs, "loop")]
    public async Task A_file_system_and_its_copy_have_two_spaces(string fileSystem, string mountOptions)
    {
        using ExtentScratch scratch = new(fileSystem);
        FileBlockDevice file = scratch.Create("file", 64);
        using ExtentScratch copy = new(scratch.Mounted.Copy(fileSystem, mountOptions));
        FileBlockDevice same = copy.Open("file");
        Assert.Equal(await ExtentScratch.PlacesOf(file), await ExtentScratch.PlacesOf(same));
        Assert.NotNull(same.ExtentSpace);
        Assert.NotEqual(file.ExtentSpace, same.ExtentSpace);
    }

    [Theory]
    [InlineData(FileSystem.Ext4)]
    [InlineData(FileSystem.Tmpfs)]
    public void File_systems_that_share_no_blocks_have_none(string fileSystem)
    {
        using ExtentScratch scratch = new(fileSystem);
        Assert.Null(scratch.Open("file").ExtentSpace);
    }
}
