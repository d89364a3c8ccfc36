using StorageCache.IO;
using Xunit;

namespace StorageCache.Tests.IO;

public class BlockRequestTests
{
    [Fact]
    public void A_second_completion_throws()
    {
        using TestRequest request = TestRequest.Read(0, 1);
        request.Complete(0);
        Assert.Throws<InvalidOperationException>(() => request.Complete(0));
        Assert.Throws<InvalidOperationException>(() => request.Fail(new IOException()));
        Assert.Equal(1, request.Completions);
    }

    [Fact]
    public void A_failure_after_a_failure_throws()
    {
        using TestRequest request = TestRequest.Write(0, new byte[10]);
        request.Fail(new IOException("first"));
        Assert.Throws<InvalidOperationException>(() => request.Fail(new IOException("second")));
        Assert.Equal("first", request.Error!.Message);
    }

    [Fact]
    public void A_request_that_was_never_prepared_cannot_be_completed()
    {
        using TestRequest request = new(1);
        Assert.Throws<InvalidOperationException>(() => request.Complete(0));
    }

    /// <remarks>I/O-15.</remarks>
    [Fact]
    public void An_impossible_count_of_bytes_fails_the_request()
    {
        using TestRequest read = TestRequest.Read(0, 2);
        read.Complete(8193);
        Assert.IsType<BlockIOException>(read.Error);
        read.PrepareRead(0, 2);
        read.Complete(-1);
        Assert.IsType<BlockIOException>(read.Error);
        read.PrepareRead(0, 2);
        read.Complete(8192);
        Assert.Null(read.Error);

        using TestRequest write = TestRequest.Write(0, new byte[5000]);
        write.Complete(4096);
        Assert.Contains("Write of 5000 bytes at offset 0 was completed by its device as 4096 bytes", write.Error!.Message, StringComparison.Ordinal);
        Assert.Equal(0, write.BytesTransferred);
        Assert.Throws<InvalidOperationException>(() => write.Complete(5000));

        using TestRequest flush = TestRequest.Flush();
        flush.Complete(1);
        Assert.IsType<BlockIOException>(flush.Error);
    }

    [Fact]
    public void What_the_owner_throws_goes_through_the_device_as_it_is()
    {
        MemoryBlockDevice device = new("memory", 4096);
        using TestRequest request = TestRequest.Read(0, 1);
        InvalidOperationException thrown = new();
        request.WhenCompleted = () => throw thrown;
        Assert.Same(thrown, Assert.Throws<InvalidOperationException>(() => DeviceBoundary.Submit(device, request)));
        Assert.Same(thrown, Assert.Throws<InvalidOperationException>(() => DeviceBoundary.Execute(device, request.PrepareRead(0, 1))));
        Assert.Equal(2, request.Completions);
        Assert.Null(request.Error);
    }

    [Fact]
    public void Segments_add_up_and_do_not_exceed_the_capacity()
    {
        using TestRequest request = TestRequest.Write(8192, new byte[5000]);
        Assert.Equal(BlockOperation.Write, request.Operation);
        Assert.Equal(8192, request.Offset);
        Assert.Equal(5000, request.ByteCount);
        Assert.Equal(2, request.Segments.Length);
        Assert.Equal(904, request.Segments[1].Length);
        Assert.Throws<InvalidOperationException>(() => request.Prepare(BlockOperation.Read, 0, 3 * 4096));
    }
}
