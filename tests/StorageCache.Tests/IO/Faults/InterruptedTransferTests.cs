using StorageCache.IO;
using StorageCache.Platform;
using Xunit;

namespace StorageCache.Tests.IO.Faults;

/// <summary>Transfers that the kernel ends before all is done, or does not get to at first: who asked for them never learns of it.</summary>
public sealed class InterruptedTransferTests
{
    private const int Page = TestRequest.PageSize;

    public static IEnumerable<TheoryDataRow<IoEngine, BlockOperation, int>> Interruptions =>
        from engine in TestEngines.Each
        from what in new[]
        {
            (BlockOperation.Read, Errno.EINTR), (BlockOperation.Write, Errno.EINTR), (BlockOperation.Flush, Errno.EINTR),
            (BlockOperation.Read, Errno.EAGAIN), (BlockOperation.Write, Errno.EAGAIN),
        }
        select new TheoryDataRow<IoEngine, BlockOperation, int>(engine.Data, what.Item1, what.Item2) { Skip = engine.Skip };

    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public void A_read_that_ends_early_goes_on_where_it_stopped_I_O_5(IoEngine kind)
    {
        using FuseFile file = FuseFile.Create(32);
        using IIoEngine engine = TestEngines.Create(threads: 1, kind);
        FileBlockDevice device = FileBlockDevice.Open(file.Path, FileOpenMode.Open, isReadOnly: false, Page, engine);
        int reads = file.Reads;

        // Half of what is asked for, in whole pages: 16, 8, 4, 2, 1, and the last one.
        file.Most = call => Math.Max(Page, call.Length / Page / 2 * Page);
        using TestRequest read = TestRequest.Read(0, 32, scattered: true).SubmitTo(device);
        Assert.Null(read.Error);
        Assert.Equal(32 * Page, read.BytesTransferred);
        Assert.Equal(6, file.Reads - reads);
        Assert.All(Enumerable.Range(0, 32), page => Assert.True(
            read.Bytes.AsSpan(page * Page, Page).IndexOfAnyExcept(FuseFile.ByteOf(page)) < 0, $"page {page}"));
        device.Close();
    }

    [Theory]
    [MemberData(nameof(Interruptions))]
    public void What_was_interrupted_or_put_off_is_done_in_the_end(IoEngine kind, BlockOperation operation, int errno)
    {
        using FuseFile file = FuseFile.Create(4);
        using IIoEngine engine = TestEngines.Create(threads: 1, kind);
        FileBlockDevice device = FileBlockDevice.Open(file.Path, FileOpenMode.Open, isReadOnly: false, Page, engine);
        int refusals = 0;
        file.Fault = call => call.Operation == operation && refusals++ < 3 ? errno : 0;
        using TestRequest request = operation switch
        {
            BlockOperation.Read => TestRequest.Read(0, 4),
            BlockOperation.Write => TestRequest.Write(0, new byte[4 * Page]),
            _ => TestRequest.Flush(),
        };
        request.SubmitTo(device);
        Assert.Null(request.Error);
        Assert.Equal(operation == BlockOperation.Flush ? 0 : 4 * Page, request.BytesTransferred);
        Assert.Equal(4, refusals);
        Assert.Equal(operation == BlockOperation.Write ? 0 : FuseFile.ByteOf(3), file.Page(3)[0]);
        device.Close();
    }
}
