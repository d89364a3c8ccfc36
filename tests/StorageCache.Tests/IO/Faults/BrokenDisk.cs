using Xunit;

namespace StorageCache.Tests.IO.Faults;

/// <summary>A real block device that fails: a loop device over a file that is cut short, or made immutable, underneath.</summary>
/// <remarks>The file lies on a file system of its own, so that it can be made immutable and given little room.</remarks>
internal sealed class BrokenDisk : IDisposable
{
    private readonly MountedFileSystem _host;
    private readonly string _image;
    private readonly LoopDevice _device;

    private BrokenDisk(MountedFileSystem host, long bytes, long offset, ReadOnlySpan<byte> content)
    {
        _host = host;
        _image = System.IO.Path.Combine(host.Path, "image");
        Length = bytes;
        using (FileStream file = File.Create(_image))
        {
            file.SetLength(bytes);
            file.Position = offset;
            file.Write(content);
        }

        _device = LoopDevice.Over(_image);
    }

    /// <summary>Path of the device's node.</summary>
    public string Path => _device.Path;

    /// <summary>Size in bytes.</summary>
    public long Length { get; }

    /// <summary>A disk with some content, and zeros behind it.</summary>
    public static BrokenDisk Create(long bytes, ReadOnlySpan<byte> content = default) =>
        Create(MountedFileSystem.Loop("ext4", bytes + (16 << 20)), bytes, 0, content);

    /// <summary>A disk that has room for less than it says, as one of a thin pool: for what it holds from some place on, and no more.</summary>
    /// <remarks>
    /// A write has to begin where there is no room to fail: Linux's loop device takes one that ends there for a whole one.
    /// </remarks>
    public static BrokenDisk CreateThin(long bytes, long offset, ReadOnlySpan<byte> content) =>
        Create(MountedFileSystem.Tmpfs(content.Length), bytes, offset, content);

    /// <summary>Has what lies beyond a point become unreadable.</summary>
    public void Cut(long bytes) => SetLength(bytes);

    /// <summary>Can be read everywhere again; what was cut off is zeros.</summary>
    public void Mend() => SetLength(Length);

    /// <summary>Fails every write from here on.</summary>
    public void RefuseWrites() => Assert.Null(MountedFileSystem.TryRun("chattr", "+i", _image));

    /// <summary>Takes writes again.</summary>
    public void TakeWrites() => Assert.Null(MountedFileSystem.TryRun("chattr", "-i", _image));

    /// <summary>The file system that the disk's bytes lie on gets more room.</summary>
    public void GiveRoom(int bytes) => Assert.Null(MountedFileSystem.TryRun("mount", "-o", $"remount,size={bytes}", _host.Path));

    /// <summary>What the disk holds, asked of the file underneath.</summary>
    public byte[] Read(long offset, int count)
    {
        byte[] bytes = new byte[count];
        using FileStream file = new(_image, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        file.Position = offset;
        file.ReadExactly(bytes);
        return bytes;
    }

    public void Dispose()
    {
        MountedFileSystem.TryRun("chattr", "-i", _image);
        _device.Dispose();
        _host.Dispose();
    }

    private static BrokenDisk Create(MountedFileSystem host, long bytes, long offset, ReadOnlySpan<byte> content)
    {
        try
        {
            return new BrokenDisk(host, bytes, offset, content);
        }
        catch
        {
            host.Dispose();
            throw;
        }
    }

    private void SetLength(long bytes)
    {
        using FileStream file = new(_image, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.SetLength(bytes);
    }
}
