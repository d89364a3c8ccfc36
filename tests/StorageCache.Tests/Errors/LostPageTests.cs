using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Errors;

/// <summary>A device that loses what it was to flush holds older pages than it was given: nobody is to take them for the file's (WB-20).</summary>
public class LostPageTests
{
    private const byte Old = 0x11;
    private const byte New = 0x22;

    /// <remarks>WB-20.</remarks>
    [Fact]
    public async Task What_a_failed_sync_may_have_lost_is_not_read_from_the_device()
    {
        await using TestCache test = await OpenAsync();
        Write(test, 2, 3);
        test.Evict(3);
        Assert.Equal(New, test.ByteOf(2));
        await FailSyncAsync(test, 3);

        MappingFailedException error = Assert.Throws<MappingFailedException>(() => test.Mapping.Read(3));
        Assert.Equal(3, error.Page);
        Assert.IsType<BlockIOException>(error.InnerException);
        await Assert.ThrowsAsync<MappingFailedException>(() => test.Mapping.ReadAsync(3).AsTask().InTime());
        Assert.Equal(0, test.Mapping.Prefetch(3, 1));
        test.AssertSound();

        // Others are as they were: in memory, or untouched since the last good sync.
        Assert.Equal(New, test.ByteOf(2));
        test.Evict(1);
        Assert.Equal(Old, test.ByteOf(1));
        Assert.Equal(0, test.ByteOf(30));
    }

    /// <remarks>WB-20. A second generation is open as the sync of the first fails.</remarks>
    [Fact]
    public async Task What_is_written_while_a_sync_runs_that_fails_is_not_read_either()
    {
        await using TestCache test = await OpenAsync();
        Write(test, 3);
        Task flush = BeginSync(test, 3, 4);
        Write(test, 4);
        test.Evict(3);
        test.Evict(4);
        test.Device.ReleaseHeld(BlockOperation.Flush);
        await Assert.ThrowsAsync<FlushFailedException>(() => flush.InTime());
        Assert.Throws<MappingFailedException>(() => test.Mapping.Read(3));
        Assert.Throws<MappingFailedException>(() => test.Mapping.Read(4));
    }

    /// <remarks>WB-20.</remarks>
    [Fact]
    public async Task A_read_that_is_under_way_when_a_sync_fails_brings_nothing_that_may_be_lost()
    {
        await using TestCache test = await OpenAsync();
        Write(test, 2, 3);
        test.Evict(3);
        Task flush = BeginSync(test, 3);
        test.Device.Hold = static _ => true;
        Task<PageReadLease>[] reads = [.. Enumerable.Range(0, 4).Select(_ => test.Mapping.ReadAsync(3).AsTask())];
        test.Device.WaitForHeld(2);
        test.Device.ReleaseHeld(BlockOperation.Flush);
        await Assert.ThrowsAsync<FlushFailedException>(() => flush.InTime());
        test.Device.Hold = null;
        test.Device.ReleaseAll();
        foreach (Task<PageReadLease> read in reads)
        {
            Assert.Equal(3, (await Assert.ThrowsAsync<MappingFailedException>(() => read.InTime())).Page);
        }

        Assert.False(test.IsResident(3));
        test.AssertSound();
    }

    /// <remarks>WB-20. Closing stands in line for the page that is being read, and is the next to try.</remarks>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_mapping_closes_while_a_page_is_read_that_may_be_lost(bool abandons)
    {
        await using TestCache test = await OpenAsync();
        Write(test, 3);
        test.Evict(3);
        Task flush = BeginSync(test, 3);
        test.Device.Hold = static _ => true;
        Task<PageReadLease> read = test.Mapping.ReadAsync(3).AsTask();
        test.Device.WaitForHeld(2);
        test.Device.ReleaseHeld(BlockOperation.Flush);
        await Assert.ThrowsAsync<FlushFailedException>(() => flush.InTime());
        Task close = abandons ? test.Mapping.AbandonAsync().AsTask() : test.Mapping.CloseAsync().AsTask();
        test.WaitForWaiters(3, 1);
        Wait.Until(() => test.Mapping.State == MappingState.Closing, "the close to begin");
        test.Device.Hold = null;
        test.Device.ReleaseAll();
        await Assert.ThrowsAnyAsync<Exception>(() => read.InTime());
        await close.InTime();
        Assert.Equal(MappingState.Closed, test.Mapping.State);
    }

    /// <remarks>WB-20. The tags of a page that is not resident are in its leaf of the page table, which may go.</remarks>
    [Fact]
    public async Task What_may_be_lost_is_known_when_its_leaf_has_gone()
    {
        await using TestCache test = await OpenAsync();
        Write(test, 3);
        test.Evict(3);
        Assert.True(test.Cache.Core.TryReclaimLeaf());
        await FailSyncAsync(test, 3);
        Assert.Throws<MappingFailedException>(() => test.Mapping.Read(3));
    }

    /// <remarks>WB-20. What is there when a mapping is opened may not be durable: another may have written it, and not synced.</remarks>
    [Fact]
    public async Task What_was_there_before_the_first_good_sync_is_not_read_either()
    {
        await using TestCache test = await TestCache.OpenAsync();
        await FailSyncAsync(test);
        Assert.Throws<MappingFailedException>(() => test.Mapping.Read(30));
    }

    /// <remarks>WB-20.</remarks>
    [Fact]
    public async Task A_good_sync_ends_what_may_be_lost()
    {
        await using TestCache test = await OpenAsync();
        Write(test, 3);
        test.Evict(3);
        Assert.True(test.Cache.Core.TryReclaimLeaf());
        Write(test, 4);
        test.Evict(4);
        await test.Mapping.PunchAsync(5, 1);
        await test.Mapping.FlushAsync().InTime();
        await FailSyncAsync(test);
        Assert.Equal(New, test.ByteOf(3));
        Assert.Equal(New, test.ByteOf(4));
        Assert.Equal(0, test.ByteOf(5));
    }

    /// <remarks>WB-20. What was cut off or punched may come back.</remarks>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_range_whose_zeros_a_failed_sync_may_have_lost_is_not_read(bool punches)
    {
        await using TestCache test = await OpenAsync();
        if (punches)
        {
            await test.Mapping.PunchAsync(3, 1);
        }
        else
        {
            await test.Mapping.TruncateAsync(3 * 4096);
            await test.Mapping.ExtendAsync(64 * 4096);
        }

        await FailSyncAsync(test, 3);
        Assert.Throws<MappingFailedException>(() => test.Mapping.Read(3));
    }

    /// <summary>Opens a cache on a file of 64 pages, of which 1 to 9 are written and synced, and none is resident.</summary>
    private static async Task<TestCache> OpenAsync()
    {
        TestCache test = await TestCache.OpenAsync();
        for (int page = 1; page < 10; page++)
        {
            test.Fill(page, Old);
        }

        await test.Mapping.FlushAsync().InTime();
        for (int page = 1; page < 10; page++)
        {
            test.Evict(page);
        }

        return test;
    }

    /// <summary>Has the background write pages, which are clean then, and not synced.</summary>
    private static void Write(TestCache test, params int[] pages)
    {
        foreach (int page in pages)
        {
            test.Fill(page, New);
        }

        test.Cache.Core.WriteBack.Kick(urgent: true);
        foreach (int page in pages)
        {
            Wait.Until(() => !test.Mapping.IsDirty(page) && test.Device.Bytes(page)[0] == New, $"page {page} to be written");
        }

        Wait.Until(() => test.Cache.Core.WriteBack.InUse == 0, "the writes to end");
    }

    private static async Task FailSyncAsync(TestCache test, params int[] lost)
    {
        test.Fill(60, New);
        Task flush = BeginSync(test, lost);
        test.Device.ReleaseHeld(BlockOperation.Flush);
        await Assert.ThrowsAsync<FlushFailedException>(() => flush.InTime());
        test.Device.Fault = null;
    }

    /// <summary>Begins a flush whose sync is held, and fails when it goes on: pages are then on the device as they were before.</summary>
    private static Task BeginSync(TestCache test, params int[] lost)
    {
        test.Device.Hold = static call => call.Operation == BlockOperation.Flush;
        test.Device.Fault = call =>
        {
            if (call.Operation != BlockOperation.Flush)
            {
                return null;
            }

            foreach (int page in lost)
            {
                test.Device.Fill(page, Old);
            }

            return ScriptedDevice.Eio(call);
        };
        Task flush = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        return flush;
    }
}
