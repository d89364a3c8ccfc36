namespace StorageCache.Tests.IO;

/// <summary>On a ext4 file system of its own.</summary>
public class Ext4FileBlockDeviceTests : FileBlockDeviceSuite
{
    private MountedFileSystem? _mounted;

    public override void Dispose()
    {
        base.Dispose();
        _mounted?.Dispose();
        GC.SuppressFinalize(this);
    }

    protected override string? Mount() => (_mounted = MountedFileSystem.Loop("ext4", 64L << 20)).Path;
}
