namespace StorageCache.Tests.IO;

/// <summary>On whatever holds the test's binaries: a disk with direct I/O as a rule.</summary>
public class DiskFileBlockDeviceTests : FileBlockDeviceSuite
{
    protected override string? Mount() => null;
}
