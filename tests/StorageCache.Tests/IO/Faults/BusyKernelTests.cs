using StorageCache.IO;
using StorageCache.Platform;
using Xunit;

namespace StorageCache.Tests.IO.Faults;

/// <summary>A kernel that has no resources for a request at the moment.</summary>
public sealed class BusyKernelTests
{
    private const int Page = TestRequest.PageSize;

    /// <summary>It may have lost what it was to write, and a second try would not know (WB-5).</summary>
    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public void A_sync_that_fails_because_the_kernel_is_busy_has_failed(IoEngine engine)
    {
        using FuseFile busy = FuseFile.Create(1);
        using IIoEngine made = TestEngines.Create(threads: 1, engine);
        FileBlockDevice device = FileBlockDevice.Open(busy.Path, FileOpenMode.Open, isReadOnly: false, Page, made);
        int syncs = 0;
        busy.Fault = call => call.Operation == BlockOperation.Flush && Interlocked.Increment(ref syncs) == 1 ? Errno.EAGAIN : 0;
        using TestRequest flush = TestRequest.Flush();
        device.Submit(flush);
        flush.Wait();

        Assert.Equal(Errno.EAGAIN, Assert.IsType<BlockIOException>(flush.Error).Errno);
        Assert.Equal(1, syncs);
        device.Close();
    }
}
