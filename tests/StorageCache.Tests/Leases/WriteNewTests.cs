using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Leases;

public class WriteNewTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_new_page_is_zero_and_is_not_read(bool resident)
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Device.Fill(3, 0xaa);
        if (resident)
        {
            test.Mapping.Read(3).Dispose();
        }

        long reads = test.Device.Reads;
        using (PageWriteLease lease = await test.Mapping.WriteNewAsync(3).InTime())
        {
            Assert.True(lease.Span.IndexOfAnyExcept((byte)0) < 0);
        }

        Assert.Equal(reads, test.Device.Reads);
    }

    [Fact]
    public async Task A_new_page_beyond_the_end_makes_the_file_long_enough()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 2);
        using (PageWriteLease lease = test.Mapping.WriteNew(9))
        {
            lease.Span.Fill(9);
            lease.MarkDirty();
        }

        Assert.Equal(10 * 4096, test.Mapping.Length);
        Assert.Equal(0, test.ByteOf(5));
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(10 * 4096, test.Device.Length);
        Assert.Equal(9, test.Device.Bytes(9)[4095]);
    }

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(long.MaxValue >> 12)]
    public async Task A_page_whose_end_no_length_can_say_is_refused(long page)
    {
        await using TestCache test = await TestCache.OpenAsync();
        Assert.Throws<ArgumentOutOfRangeException>(() => test.Mapping.WriteNew(page));
        Assert.Throws<ArgumentOutOfRangeException>(() => test.Mapping.TryWriteNew(page, out _));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await test.Mapping.WriteNewAsync(page));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => test.Mapping.ExtendAsync(long.MaxValue).AsTask());
        Assert.Equal(64 * 4096, test.Mapping.Length);
        test.Mapping.WriteNew((long.MaxValue >> 12) - 1).Dispose();
        Assert.Equal(long.MaxValue >> 12, test.Mapping.PageCount);
        await test.Mapping.TruncateAsync(64 * 4096).InTime();
    }

    [Fact]
    public async Task Try_that_finds_no_frame_leaves_the_length_alone()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 400, memory: TestCache.Smallest);
        List<PagePin> pins = [];
        while (test.Mapping.Prefetch(pins.Count, 1) == 1)
        {
            pins.Add(test.Mapping.Pin(pins.Count));
        }

        Assert.False(test.Mapping.TryWriteNew(5000, out _));

        Assert.Equal(400 * 4096, test.Mapping.Length);
        pins.ForEach(pin => pin.Dispose());
    }

    /// <summary>
    /// A new page is wanted, the cache is full, and the one who wanted it leaves. When a frame comes, the page must not turn
    /// up as clean zeros: the device holds something else, which everybody else wants (B-4).
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_new_page_that_is_not_wanted_any_more_is_read_after_all(bool readerWaits)
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 400, memory: TestCache.Smallest);
        test.Device.Fill(399, 0x77);
        List<PagePin> pins = [];
        while (test.Mapping.Prefetch(pins.Count, 1) == 1)
        {
            pins.Add(test.Mapping.Pin(pins.Count));
        }

        using CancellationTokenSource source = new();
        Task<PageWriteLease> writer = test.Mapping.WriteNewAsync(399, source.Token).AsTask();
        Task<PageReadLease>? reader = readerWaits ? test.Mapping.ReadAsync(399).AsTask() : null;
        Assert.False(writer.IsCompleted);
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writer.InTime());

        pins.ForEach(pin => pin.Dispose());
        if (reader is not null)
        {
            using PageReadLease lease = await reader.InTime();
            Assert.Equal(0x77, lease.Span[100]);
        }

        Assert.Equal(0x77, test.ByteOf(399));
        test.AssertSound();
    }

    /// <summary>Between a new page's becoming current and its writer's having it, nobody sees the zeros.</summary>
    [Fact]
    public async Task Nobody_comes_between_a_new_page_and_its_writer()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 64, stealLimit: int.MaxValue);
        for (int i = 0; i < 300; i++)
        {
            test.Device.Fill(1, 0x55);
            using Barrier barrier = new(2);
            Task reader = Task.Factory.StartNew(() =>
            {
                barrier.SignalAndWait();
                byte seen = test.ByteOf(1);
                Assert.True(seen is 0x55 or 0x66, $"round {i}: saw {seen:x}");
            }, TaskCreationOptions.LongRunning);
            barrier.SignalAndWait();
            PageWriteLease lease = default;
            if ((i & 1) == 0 || !test.Mapping.TryWriteNew(1, out lease))
            {
                lease = test.Mapping.WriteNew(1);
            }

            lease.Span.Fill(0x66);
            lease.MarkDirty();
            lease.Dispose();
            await reader.InTime();
            await test.Mapping.FlushAsync().InTime();
            test.Evict(1);
        }
    }
}
