namespace StorageCache.Tests.IO;

/// <summary>On a btrfs file system of its own.</summary>
public class BtrfsFileBlockDeviceTests : FileBlockDeviceSuite
{
    private MountedFileSystem? _mounted;

    public override void Dispose()
    {
        base.Dispose();
        _mounted?.Dispose();
        GC.SuppressFinalize(this);
    }

    protected override string? Mount() => (_mounted = MountedFileSystem.Loop("btrfs", 256L << 20)).Path;
}
