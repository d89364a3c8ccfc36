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

    [Fact]
    public void An_impossible_count_of_bytes_is_refused_and_leaves_the_request_open()
    {
        using TestRequest read = TestRequest.Read(0, 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => read.Complete(8193));
        Assert.Throws<ArgumentOutOfRangeException>(() => read.Complete(-1));
        read.Complete(8192);

        using TestRequest write = TestRequest.Write(0, new byte[5000]);
        Assert.Throws<ArgumentOutOfRangeException>(() => write.Complete(4096));
        write.Complete(5000);

        using TestRequest flush = TestRequest.Flush();
        Assert.Throws<ArgumentOutOfRangeException>(() => flush.Complete(1));
        flush.Complete(0);
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
