using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>Without direct I/O.</summary>
public class TmpfsFileBlockDeviceTests : FileBlockDeviceSuite
{
    protected override string? Mount()
    {
        Assert.SkipUnless(Directory.Exists("/dev/shm"), "There is no /dev/shm.");
        return "/dev/shm";
    }
}
