using StorageCache.IO;
using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>What every device must do; inherited by one class per device.</summary>
public abstract class BlockDeviceTests
{
    private const int Page = TestRequest.PageSize;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_written_is_read_back(bool scattered)
    {
        await using IBlockDevice device = Open();
        byte[] bytes = Pattern(5 * Page, 1);
        using TestRequest write = TestRequest.Write(2 * Page, bytes, scattered).SubmitTo(device);
        Assert.Null(write.Error);
        Assert.Equal(bytes.Length, write.BytesTransferred);

        using TestRequest read = TestRequest.Read(2 * Page, 5, scattered).ExecuteOn(device);
        Assert.Null(read.Error);
        Assert.Equal(bytes.Length, read.BytesTransferred);
        Assert.Equal(bytes, read.Bytes);
        Assert.Equal(7 * Page, device.Length);
    }

    [Fact]
    public async Task More_segments_than_one_call_takes_are_transferred_in_one_request()
    {
        await using IBlockDevice device = Open();
        byte[] bytes = Pattern(1100 * Page, 2);
        using TestRequest write = TestRequest.Write(0, bytes, scattered: true).ExecuteOn(device);
        Assert.Null(write.Error);
        using TestRequest read = TestRequest.Read(0, 1100, scattered: true).ExecuteOn(device);
        Assert.Equal(bytes.Length, read.BytesTransferred);
        Assert.True(bytes.AsSpan().SequenceEqual(read.Bytes));
    }

    [Fact]
    public async Task A_read_that_reaches_the_end_transfers_fewer_bytes()
    {
        await using IBlockDevice device = Open();
        byte[] bytes = Pattern((2 * Page) + 1000, 3);
        using TestRequest write = TestRequest.Write(0, bytes).ExecuteOn(device);
        Assert.Null(write.Error);

        using TestRequest read = TestRequest.Read(Page, 4).ExecuteOn(device);
        Assert.Null(read.Error);
        Assert.Equal(Page + 1000, read.BytesTransferred);
        Assert.Equal(bytes[Page..], read.Bytes[..read.BytesTransferred]);
    }

    [Fact]
    public async Task A_read_that_ends_in_whole_pages_at_the_end_transfers_just_those()
    {
        await using IBlockDevice device = Open();
        using TestRequest write = TestRequest.Write(0, Pattern(2 * Page, 3)).ExecuteOn(device);
        using TestRequest read = TestRequest.Read(Page, 3).ExecuteOn(device);
        Assert.Null(read.Error);
        Assert.Equal(Page, read.BytesTransferred);
    }

    [Fact]
    public async Task A_read_beyond_the_end_transfers_nothing()
    {
        await using IBlockDevice device = Open();
        using TestRequest read = TestRequest.Read(16 * Page, 1).ExecuteOn(device);
        Assert.Null(read.Error);
        Assert.Equal(0, read.BytesTransferred);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(511)]
    [InlineData(512)]
    [InlineData(Page - 1)]
    [InlineData(Page + 1)]
    [InlineData((3 * Page) + 777)]
    public async Task A_write_with_a_cut_tail_leaves_the_length_where_it_ends(int length)
    {
        await using IBlockDevice device = Open();
        byte[] bytes = Pattern(length, 4);
        using TestRequest write = TestRequest.Write(0, bytes).SubmitTo(device);
        Assert.Null(write.Error);
        Assert.Equal(length, write.BytesTransferred);
        Assert.Equal(length, device.Length);

        using TestRequest read = TestRequest.Read(0, 4).ExecuteOn(device);
        Assert.Equal(length, read.BytesTransferred);
        Assert.Equal(bytes, read.Bytes[..length]);
    }

    [Fact]
    public async Task A_page_written_now_as_a_tail_and_now_whole_always_reads_as_last_written()
    {
        await using IBlockDevice device = Open();
        for (byte round = 0; round < 20; round++)
        {
            byte[] tail = Pattern(Page + 100 + round, round);
            using TestRequest first = TestRequest.Write(0, tail).ExecuteOn(device);
            Assert.Null(first.Error);
            using TestRequest readTail = TestRequest.Read(0, 2).ExecuteOn(device);
            Assert.Equal(tail, readTail.Bytes[..tail.Length]);

            byte[] whole = Pattern(2 * Page, (byte)(round + 100));
            using TestRequest second = TestRequest.Write(0, whole).ExecuteOn(device);
            Assert.Null(second.Error);
            using TestRequest flush = TestRequest.Flush().ExecuteOn(device);
            Assert.Null(flush.Error);
            using TestRequest readWhole = TestRequest.Read(0, 2).ExecuteOn(device);
            Assert.Equal(whole, readWhole.Bytes);
            await device.SetLengthAsync(0, CancellationToken.None);
        }
    }

    [Fact]
    public async Task A_flush_transfers_nothing_and_succeeds()
    {
        await using IBlockDevice device = Open();
        using TestRequest write = TestRequest.Write(0, Pattern(Page + 5, 5)).SubmitTo(device);
        using TestRequest flush = TestRequest.Flush().SubmitTo(device);
        Assert.Null(flush.Error);
        Assert.Equal(0, flush.BytesTransferred);
    }

    [Fact]
    public async Task Bytes_that_were_cut_off_read_as_zeros_when_the_device_grows_again()
    {
        await using IBlockDevice device = Open();
        using TestRequest write = TestRequest.Write(0, Pattern(3 * Page, 6)).ExecuteOn(device);
        await device.SetLengthAsync(100, CancellationToken.None);
        Assert.Equal(100, device.Length);
        await device.SetLengthAsync(3 * Page, CancellationToken.None);
        Assert.Equal(3 * Page, device.Length);

        using TestRequest read = TestRequest.Read(0, 3).ExecuteOn(device);
        Assert.Equal(3 * Page, read.BytesTransferred);
        Assert.Equal(Pattern(3 * Page, 6)[..100], read.Bytes[..100]);
        Assert.All(read.Bytes[100..], b => Assert.Equal(0, b));
    }

    [Fact]
    public async Task A_hole_reads_as_zeros()
    {
        await using IBlockDevice device = Open();
        using TestRequest write = TestRequest.Write(64 * Page, Pattern(Page, 7)).ExecuteOn(device);
        using TestRequest read = TestRequest.Read(10 * Page, 2).ExecuteOn(device);
        Assert.Equal(2 * Page, read.BytesTransferred);
        Assert.All(read.Bytes, b => Assert.Equal(0, b));
    }

    [Fact]
    public async Task What_is_punched_reads_as_zeros_and_the_length_stays()
    {
        await using IBlockDevice device = Open();
        byte[] bytes = Pattern((70 * Page) + 100, 8);
        using TestRequest write = TestRequest.Write(0, bytes).ExecuteOn(device);
        foreach ((int first, int count) in new[] { (1, 2), (5, 40), (70, 1) })
        {
            // The last page reaches beyond the end.
            Assert.True(await device.TryPunchAsync(first * Page, count * Page, CancellationToken.None));
            bytes.AsSpan(first * Page, Math.Min(count * Page, bytes.Length - (first * Page))).Clear();
        }

        Assert.Equal(bytes.Length, device.Length);
        using TestRequest read = TestRequest.Read(0, 71).ExecuteOn(device);
        Assert.Equal(bytes.Length, read.BytesTransferred);
        Assert.Equal(bytes, read.Bytes[..bytes.Length]);
    }

    [Fact]
    public async Task A_punch_that_is_cancelled_beforehand_or_makes_no_sense_changes_nothing()
    {
        await using IBlockDevice device = Open();
        using TestRequest write = TestRequest.Write(0, Pattern(Page, 9)).ExecuteOn(device);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await device.TryPunchAsync(0, Page, new CancellationToken(canceled: true)));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await device.TryPunchAsync(-Page, Page, CancellationToken.None));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await device.TryPunchAsync(0, 0, CancellationToken.None));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await device.TryPunchAsync(Page, long.MaxValue, CancellationToken.None));
        using TestRequest read = TestRequest.Read(0, 1).ExecuteOn(device);
        Assert.Equal(Pattern(Page, 9), read.Bytes);
    }

    [Fact]
    public async Task A_change_of_length_that_is_cancelled_beforehand_changes_nothing()
    {
        await using IBlockDevice device = Open();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await device.SetLengthAsync(Page, new CancellationToken(canceled: true)));
        Assert.Equal(0, device.Length);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await device.SetLengthAsync(-1, CancellationToken.None));
    }

    [Fact]
    public async Task A_closed_device_fails_its_requests_and_does_not_throw()
    {
        IBlockDevice device = Open();
        await device.DisposeAsync();
        await device.DisposeAsync();
        foreach (TestRequest request in new[] { TestRequest.Read(0, 1), TestRequest.Write(0, new byte[10]), TestRequest.Flush() })
        {
            request.ExecuteOn(device);
            BlockIOException error = Assert.IsType<BlockIOException>(request.Error);
            Assert.Contains(device.Name, error.Message, StringComparison.Ordinal);
            Assert.Equal(1, request.Completions);
            request.Dispose();
        }
    }

    [Fact]
    public async Task An_owner_may_use_the_request_again_from_inside_its_completion()
    {
        await using IBlockDevice device = Open();
        using TestRequest write = TestRequest.Write(0, Pattern(3 * Page, 8)).ExecuteOn(device);
        using TestRequest read = TestRequest.Read(0, 1);
        using ManualResetEventSlim done = new();
        read.WhenCompleted = () =>
        {
            if (read.Completions < 3)
            {
                device.Submit(read.PrepareRead(read.Completions * Page, 1));
            }
            else
            {
                done.Set();
            }
        };
        device.Submit(read);
        Assert.True(done.Wait(TimeSpan.FromSeconds(60)));
        Assert.Equal(3, read.Completions);
        Assert.Equal(Pattern(3 * Page, 8)[(2 * Page)..], read.Bytes);
    }

    /// <summary>An empty device that grows.</summary>
    private protected abstract IBlockDevice Open();

    internal static byte[] Pattern(int length, byte seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
