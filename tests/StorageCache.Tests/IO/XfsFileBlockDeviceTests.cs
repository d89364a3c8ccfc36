namespace StorageCache.Tests.IO;

/// <summary>On a xfs file system of its own.</summary>
public class XfsFileBlockDeviceTests : FileBlockDeviceSuite
{
    private MountedFileSystem? _mounted;

    public override void Dispose()
    {
        base.Dispose();
        _mounted?.Dispose();
        GC.SuppressFinalize(this);
    }

    protected override string? Mount() => (_mounted = MountedFileSystem.Loop("xfs", 320L << 20)).Path;
}
