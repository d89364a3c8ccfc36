using StorageCache.IO;
using Xunit;

namespace StorageCache.Tests.IO;

public sealed class FileTransferTests : IDisposable
{
    private const int Page = TestRequest.PageSize;
    private readonly IIoEngine _engine = TestEngines.Create(threads: 1);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void A_read_that_the_kernel_fails_names_operation_path_offset_length_and_cause()
    {
        // Address 0 of a process is not mapped: the kernel's own way to get EIO from a regular file.
        FileBlockDevice device = Open("/proc/self/mem", FileOpenMode.Open, isReadOnly: true);
        Assert.False(device.IsDirect);
        using TestRequest read = TestRequest.Read(0, 2).SubmitTo(device);
        BlockIOException error = Assert.IsType<BlockIOException>(read.Error);
        Assert.Equal(5, error.Errno);
        Assert.Equal(5, error.HResult);
        Assert.Equal("Read of 8192 bytes at offset 0 of '/proc/self/mem' failed: Input/output error (errno 5).", error.Message);
        device.Close();
    }

    [Fact]
    public void A_full_buffered_file_system_fails_the_write_and_says_where()
    {
        using MountedFileSystem small = MountedFileSystem.Tmpfs(16 * Page);
        FileBlockDevice device = Open(small.Path + "/file", FileOpenMode.CreateNew);
        using TestRequest write = TestRequest.Write(0, new byte[32 * Page]).SubmitTo(device);
        BlockIOException error = Assert.IsType<BlockIOException>(write.Error);
        Assert.Equal(28, error.Errno);
        Assert.Contains($"at offset {device.Length} of", error.Message, StringComparison.Ordinal);
        device.Close();
    }

    [Fact]
    public void A_full_disk_fails_the_direct_write()
    {
        using MountedFileSystem small = MountedFileSystem.Loop("ext4", 2 << 20);
        FileBlockDevice device = Open(small.Path + "/file", FileOpenMode.CreateNew);
        Assert.True(device.IsDirect);
        using TestRequest write = TestRequest.Write(0, new byte[1024 * Page], scattered: true).SubmitTo(device);
        Assert.Equal(28, Assert.IsType<BlockIOException>(write.Error).Errno);
        device.Close();
    }

    [Fact]
    public async Task A_length_that_the_file_system_cannot_have_is_refused_and_changes_nothing()
    {
        using ScratchDirectory directory = new();
        await using FileBlockDevice device = Open(directory.File("file"), FileOpenMode.CreateNew);
        BlockIOException error = await Assert.ThrowsAsync<BlockIOException>(async () => await device.SetLengthAsync(long.MaxValue, default));
        Assert.Contains("set the length", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, device.Length);
    }

    [Fact]
    public void A_direct_device_writes_its_tail_so_that_other_descriptors_see_it()
    {
        using ScratchDirectory directory = new();
        FileBlockDevice device = Open(directory.File("file"), FileOpenMode.CreateNew);
        byte[] bytes = BlockDeviceTests.Pattern((2 * Page) + 123, 1);
        using TestRequest write = TestRequest.Write(0, bytes).ExecuteOn(device);
        Assert.Null(write.Error);
        Assert.Equal(bytes, File.ReadAllBytes(directory.File("file")));

        // The other descriptor's cached pages are dropped by the direct write that follows.
        byte[] again = BlockDeviceTests.Pattern(2 * Page, 2);
        using TestRequest rewrite = TestRequest.Write(0, again).ExecuteOn(device);
        byte[] all = File.ReadAllBytes(directory.File("file"));
        Assert.Equal(again, all[..again.Length]);
        Assert.Equal(bytes[again.Length..], all[again.Length..]);
        device.Close();
    }

    [Fact]
    public void A_block_device_has_its_length_and_one_identity_for_all_its_nodes()
    {
        using ScratchDirectory directory = new();
        string image = directory.File("image");
        File.WriteAllBytes(image, BlockDeviceTests.Pattern(1 << 20, 3));
        using LoopDevice loop = LoopDevice.Over(image);
        string path = loop.Path;
        FileBlockDevice device = Open(path, FileOpenMode.Open);
        Assert.Equal(1 << 20, device.Length);
        using TestRequest read = TestRequest.Read((1 << 20) - Page, 2).SubmitTo(device);
        Assert.Null(read.Error);
        Assert.Equal(Page, read.BytesTransferred);
        Assert.Equal(BlockDeviceTests.Pattern(1 << 20, 3)[^Page..], read.Bytes[..Page]);
        Assert.Throws<BlockIOException>(() => device.SetLengthAsync(0, default).AsTask().GetAwaiter().GetResult());

        File.CreateSymbolicLink(directory.File("link"), path);
        FileBlockDevice linked = Open(directory.File("link"), FileOpenMode.Open, isReadOnly: true);
        FileBlockDevice backing = Open(image, FileOpenMode.Open, isReadOnly: true);
        Assert.Equal(device.Identity, linked.Identity);
        Assert.NotEqual(device.Identity, backing.Identity);
        backing.Close();
        linked.Close();
        device.Close();
    }

    private FileBlockDevice Open(string path, FileOpenMode mode, bool isReadOnly = false) =>
        FileBlockDevice.Open(path, mode, isReadOnly, Page, _engine);
}
