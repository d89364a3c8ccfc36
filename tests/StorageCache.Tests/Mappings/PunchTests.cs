using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Mappings;

/// <summary>What a punch does to pages, and to the device.</summary>
public class PunchTests
{
    /// <remarks>M-10.</remarks>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Pages_of_the_range_read_as_zeros_and_others_are_as_they_were(bool canPunch)
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 600);
        test.Device.CanPunch = canPunch;
        for (int page = 0; page < 600; page++)
        {
            test.Device.Fill(page, 0x11);
        }

        // Absent ones, clean ones and dirty ones, within and without.
        for (int page = 0; page < 600; page += 3)
        {
            Assert.Equal(0x11, test.ByteOf(page));
            test.Fill(page + 1, 0x22);
        }

        await test.Mapping.PunchAsync(7, 550).InTime();
        Assert.Equal(600 * 4096, test.Mapping.Length);
        for (int page = 0; page < 600; page++)
        {
            int expected = page is >= 7 and < 557 ? 0 : page % 3 == 1 ? 0x22 : 0x11;
            Assert.Equal(expected, test.ByteOf(page));
        }

        test.Fill(8, 0x33);
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(0, test.Cache.GetStatistics().DirtyPages);
        Assert.Equal(600 * 4096, test.Device.Length);
        for (int page = 0; page < 600; page++)
        {
            int expected = page == 8 ? 0x33 : page is >= 7 and < 557 ? 0 : page % 3 == 1 ? 0x22 : 0x11;
            Assert.Equal(-1, test.Device.Bytes(page).AsSpan().IndexOfAnyExcept((byte)expected));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_last_page_in_part_is_punched_up_to_the_end_and_the_length_stays(bool canPunch)
    {
        var device = new ScriptedDevice { CanPunch = canPunch };
        device.Memory.Write(0, Enumerable.Repeat((byte)9, (2 * 4096) + 100).ToArray());
        await using TestCache test = await TestCache.OpenAsync(device: device);
        test.Mapping.Read(2).Dispose();
        await test.Mapping.PunchAsync(1, long.MaxValue).InTime();
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal((2 * 4096) + 100, test.Mapping.Length);
        Assert.Equal((2 * 4096) + 100, device.Length);
        Assert.Equal(9, test.ByteOf(0));
        Assert.Equal(0, test.ByteOf(1));
        Assert.Equal(0, test.ByteOf(2));
        Assert.Equal(-1, device.Bytes(2).AsSpan().IndexOfAnyExcept((byte)0));
    }

    /// <summary>The device is not as long as the mapping yet: what lies beyond its end is in memory only.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Pages_that_the_device_does_not_have_yet_are_punched_in_memory(bool canPunch)
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 4);
        test.Device.CanPunch = canPunch;
        await test.Mapping.ExtendAsync(1L << 40);
        test.Fill(2, 1);
        test.Fill(10, 2);
        test.Fill(1000, 3);
        await test.Mapping.PunchAsync(3, 500).InTime();
        Assert.Equal(1, test.ByteOf(2));
        Assert.Equal(0, test.ByteOf(10));
        Assert.Equal(3, test.ByteOf(1000));

        // Nothing of this range is on the device.
        test.Device.Punches.Clear();
        await test.Mapping.PunchAsync(900, 1L << 50).InTime();
        Assert.Equal(0, test.ByteOf(1000));
        Assert.Empty(test.Device.Punches);
    }

    /// <summary>The cost is in what is there, and not in the length of the range: this one has 2^28 pages.</summary>
    [Fact]
    public async Task A_sparse_range_of_a_tebibyte_is_punched_at_once()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 0);
        await test.Mapping.ExtendAsync(1L << 40);
        await test.Mapping.FlushAsync().InTime();
        long last = (1L << 28) - 1;
        long[] pages = [0, 5, 70_000, 1L << 27, last];
        foreach (long page in pages)
        {
            test.Fill(page, 7);
        }

        await test.Mapping.FlushAsync().InTime();
        test.Evict(70_000);
        await test.Mapping.PunchAsync(1, last).InTime();
        Assert.Equal((4096L, last * 4096), Assert.Single(test.Device.Punches));
        Assert.Equal(7, test.ByteOf(0));
        foreach (long page in pages[1..])
        {
            Assert.Equal(0, test.ByteOf(page));
        }
    }

    /// <remarks>WB-1: what was punched is durable after the next flush, although nothing is dirty.</remarks>
    [Fact]
    public async Task The_next_flush_syncs_although_nothing_is_dirty()
    {
        await using TestCache test = await TestCache.OpenAsync();
        await test.Mapping.PunchAsync(0, 10).InTime();
        long flushes = test.Device.Flushes;
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(flushes + 1, test.Device.Flushes);
        await test.Mapping.PunchAsync(0, 10).InTime();
        await test.Mapping.CloseAsync().InTime();
        Assert.Equal(flushes + 2, test.Device.Flushes);
    }

    [Fact]
    public async Task A_pinned_page_stays_and_is_cleared_in_place()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(10, 9);
        using PagePin pin = test.Mapping.Pin(10);
        OptimisticRead read = test.Mapping.ReadOptimistic(10);
        await test.Mapping.PunchAsync(8, 4).InTime();
        Assert.False(read.Validate());
        Assert.Equal(0, test.Cache.GetStatistics().DirtyPages);
        Assert.True(pin.TryRead(out PageReadLease lease));
        Assert.Equal(-1, lease.Span.IndexOfAnyExcept((byte)0));
        lease.Dispose();
        test.AssertSound(pins: 1);
        Assert.True(pin.TryWrite(out PageWriteLease writer));
        using (writer)
        {
            writer.Span.Fill(5);
            writer.MarkDirty();
        }

        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(5, test.Device.Bytes(10)[0]);
    }

    [Fact]
    public async Task A_device_that_fails_leaves_the_pages_as_they_were()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Device.Fill(9, 4);
        test.Fill(10, 5);
        Assert.Equal(4, test.ByteOf(9));
        Exception[] faults = [new BlockIOException("Punching failed, as scripted.", 5), new InvalidOperationException("as scripted")];
        foreach (Exception fault in faults)
        {
            test.Device.PunchFault = fault;
            PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.PunchAsync(8, 4).AsTask());
            Assert.Same(fault, error.GetBaseException());
            Assert.Equal(8, error.Page);
        }

        Assert.Equal(4, test.ByteOf(9));
        Assert.Equal(5, test.ByteOf(10));
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal(5, test.Device.Bytes(10)[0]);
        test.Device.PunchFault = null;
        await test.Mapping.PunchAsync(8, 4).InTime();
        Assert.Equal(0, test.ByteOf(10));
        Assert.Equal(0, test.Device.Bytes(10)[0]);
    }

    [Fact]
    public async Task What_cannot_be_punched_is_refused()
    {
        await using TestCache test = await TestCache.OpenAsync();
        Mapping mapping = test.Mapping;
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => mapping.PunchAsync(-1, 1).AsTask());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => mapping.PunchAsync(0, -1).AsTask());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => mapping.PunchAsync(0, 1, new CancellationToken(true)).AsTask());
        await mapping.PunchAsync(0, 0);
        await mapping.PunchAsync(64, 1);
        await mapping.PunchAsync(long.MaxValue, long.MaxValue);
        Assert.Empty(test.Device.Punches);

        Mapping readOnly = await test.Cache.OpenAsync(new ScriptedDevice(4) { IsReadOnly = true }, new MappingOptions { ReadOnly = true });
        await Assert.ThrowsAsync<NotSupportedException>(() => readOnly.PunchAsync(0, 1).AsTask());

        test.Device.Fault = call => call.Operation == BlockOperation.Flush ? ScriptedDevice.Eio(call) : null;
        await Assert.ThrowsAsync<FlushFailedException>(() => mapping.FlushAsync().AsTask());
        await Assert.ThrowsAsync<MappingFailedException>(() => mapping.PunchAsync(0, 1).AsTask());
        await mapping.CloseAsync().InTime();
        await Assert.ThrowsAsync<MappingClosedException>(() => mapping.PunchAsync(0, 1).AsTask());
    }

    [Fact]
    public async Task A_device_that_cannot_be_punched_is_zeroed_through_a_cache_smaller_than_the_range()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: TestCache.Smallest, dirtyBackground: 0.1, dirtyLimit: 0.5);
        test.Device.CanPunch = false;
        for (int page = 0; page < 1000; page++)
        {
            test.Device.Fill(page, 3);
        }

        await test.Mapping.PunchAsync(1, 998).InTime();
        await test.Mapping.FlushAsync().InTime();
        for (int page = 0; page < 1000; page++)
        {
            Assert.Equal(page is 0 or 999 ? 3 : 0, test.Device.Bytes(page)[0]);
        }
    }
}
