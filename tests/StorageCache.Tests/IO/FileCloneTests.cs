using StorageCache.IO;
using StorageCache.Platform;
using StorageCache.Platform.Native;
using StorageCache.Tests.FileSystems;
using StorageCache.Tests.Platform;
using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>Clones of files: I/O-26, I/O-27.</summary>
public sealed class FileCloneTests
{
    private const int Page = ExtentScratch.Page;

    [Theory]
    [MemberData(nameof(FileExtentTests.Sharing), MemberType = typeof(FileExtentTests))]
    public async Task A_clone_has_all_that_was_written_to_its_origin(string fileSystem, IoEngine engine)
    {
        using ExtentScratch scratch = new(fileSystem, engine);
        FileBlockDevice origin = scratch.Open("origin");

        // The end goes through the kernel's cache, and nothing is flushed.
        byte[] bytes = BlockDeviceTests.Pattern((40 * Page) + 777, 1);
        ExtentScratch.Write(origin, 0, bytes);
        FileBlockDevice clone = await scratch.CloneAsync(origin, "clone");
        Assert.Equal(bytes.Length, clone.Length);
        Assert.Equal(bytes, await File.ReadAllBytesAsync(clone.Name));
        using TestRequest flush = TestRequest.Flush().SubmitTo(clone);
        Assert.Null(flush.Error);
        origin.Close();
        clone.Close();
        scratch.Mounted.Remount();
        Assert.Equal(bytes, await File.ReadAllBytesAsync(clone.Name));
    }

    [Fact]
    public async Task Files_that_cannot_share_blocks_are_no_error()
    {
        using ExtentScratch xfs = new(FileSystem.Xfs);
        using ExtentScratch other = new(FileSystem.Xfs);
        using ExtentScratch ext4 = new(FileSystem.Ext4);
        await ExpectAsync(Errno.EXDEV, xfs.Create("file", 8), other.Open("clone"));
        await ExpectAsync(Errno.EXDEV, xfs.Open("file"), ext4.Open("clone"));
        await ExpectAsync(Errno.EOPNOTSUPP, ext4.Create("file", 8), ext4.Open("clone"));

        static async Task ExpectAsync(int errno, FileBlockDevice source, FileBlockDevice destination)
        {
            CloneOutcome outcome = await ExtentScratch.TryCloneAsync(source, destination);
            Assert.False(outcome.IsCloned);
            Assert.Equal(errno, outcome.Errno);
            Assert.Equal(Errno.Describe(errno), outcome.ToString());
            Assert.Equal(0, destination.Length);
        }
    }

    [Fact]
    public async Task What_is_no_empty_writable_file_is_not_made_a_clone()
    {
        using ExtentScratch scratch = new(FileSystem.Btrfs);
        FileBlockDevice origin = scratch.Create("origin", 8);
        scratch.Open("empty").Close();
        Assert.Contains("read-only", (await FailAsync(scratch.Open("empty", isReadOnly: true))).Message, StringComparison.Ordinal);
        FileBlockDevice full = scratch.Create("full", 9, seed: 2);
        Assert.Equal($"Cannot clone '{origin.Name}' to '{full.Name}': the file is not empty.", (await FailAsync(full)).Message);
        Assert.Equal(BlockDeviceTests.Pattern(9 * Page, 2), await File.ReadAllBytesAsync(full.Name));

        FileBlockDevice clone = scratch.Open("empty");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ExtentScratch.TryCloneAsync(origin, clone, new CancellationToken(canceled: true)));
        origin.Close();
        Assert.Contains("the file is closed", (await FailAsync(clone)).Message, StringComparison.Ordinal);
        Assert.Equal(0, clone.Length);

        async Task<BlockIOException> FailAsync(FileBlockDevice destination) =>
            await Assert.ThrowsAsync<BlockIOException>(() => ExtentScratch.TryCloneAsync(origin, destination));
    }

    /// <summary>A clone needs room for what the file system notes of it; what is left for that differs.</summary>
    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task On_a_full_file_system_a_clone_is_whole_or_fails_for_want_of_room(string fileSystem)
    {
        using ExtentScratch scratch = new(fileSystem);
        FileBlockDevice origin = scratch.Create("origin", 64);
        FileBlockDevice clone = scratch.Open("clone");
        string ballast = scratch.PathOf("ballast");
        scratch.Mounted.FillUp(ballast);
        IOException? failure = await Record.ExceptionAsync(async () => Assert.True((await ExtentScratch.TryCloneAsync(origin, clone)).IsCloned)) as IOException;
        TestContext.Current.TestOutputHelper?.WriteLine(failure?.Message ?? "cloned");
        if (failure is not null)
        {
            Assert.Equal(Errno.ENOSPC, Assert.IsType<BlockIOException>(failure).Errno);
            Assert.Contains($"Cannot clone '{origin.Name}' to '{clone.Name}'", failure.Message, StringComparison.Ordinal);
            File.Delete(ballast);
            Assert.Null(MountedFileSystem.TryRun("sync", "--file-system", scratch.Mounted.Path));
            await clone.SetLengthAsync(0, default);
            await Task.Yield();
            Assert.True((await ExtentScratch.TryCloneAsync(origin, clone)).IsCloned);
        }

        Assert.Equal(await File.ReadAllBytesAsync(origin.Name), await File.ReadAllBytesAsync(clone.Name));
    }

    /// <summary>I/O-26.</summary>
    [Fact]
    public async Task The_native_library_and_the_C_library_give_the_same_answers()
    {
        NativeFact.Needs(NativeCapabilities.Clone);
        using ExtentScratch xfs = new(FileSystem.Xfs);
        using ExtentScratch ext4 = new(FileSystem.Ext4);
        using ExtentScratch tmpfs = new(FileSystem.Tmpfs);
        FileBlockDevice origin = xfs.Create("origin", 64);
        FileBlockDevice[] destinations =
            [xfs.Open("read-only"), xfs.Open("read-only", isReadOnly: true), ext4.Open("file"), tmpfs.Open("file")];
        foreach (FileBlockDevice source in new[] { origin, ext4.Open("file"), tmpfs.Open("file") })
        {
            foreach (FileBlockDevice destination in destinations)
            {
                Assert.Equal(NativeMethods.Clone(source.File, destination.File), FileClone.MakeByLibC(source.File, destination.File));
            }
        }

        FileBlockDevice clone = xfs.Open("clone");
        Assert.Equal(0, FileClone.MakeByLibC(origin.File, clone.File));
        Assert.Equal(await ExtentScratch.PlacesOf(origin), await ExtentScratch.PlacesOf(clone));
        Assert.Equal(-Errno.EBADF, FileClone.MakeByLibC(origin.File, destinations[1].File));
    }
}
