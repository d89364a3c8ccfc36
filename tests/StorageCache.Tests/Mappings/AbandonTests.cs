using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Mappings;

public class AbandonTests
{
    [Fact]
    public async Task What_is_dirty_is_dropped_and_not_written()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Device.Fill(1, 1);
        test.Fill(1, 2);
        await test.Mapping.AbandonAsync().InTime();
        Assert.Equal(MappingState.Closed, test.Mapping.State);
        Assert.Equal(0, test.Device.Writes);
        Assert.Equal(1, test.Device.Bytes(1)[0]);
        Assert.Equal(0, test.Cache.GetStatistics().DirtyPages);
    }

    /// <summary>It stays open then, and half of what was changed would be worse than nothing.</summary>
    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task One_that_is_busy_or_cancelled_drops_nothing(bool isPinned, bool isCancelled)
    {
        await using TestCache test = await TestCache.OpenAsync(frameTimeout: isCancelled ? TimeSpan.FromMinutes(10) : TimeSpan.FromMilliseconds(60));
        for (long page = 0; page < 8; page++)
        {
            LoggedPages.Change(test.Mapping, page, 10 + (ulong)page);
        }

        PagePin pin = isPinned ? test.Mapping.Pin(5) : default;
        PageReadLease lease = isPinned ? default : test.Mapping.Read(5);
        using (CancellationTokenSource source = new())
        {
            Task abandoned = test.Mapping.AbandonAsync(source.Token).AsTask();
            if (isCancelled)
            {
                Wait.Until(() => test.Mapping.State == MappingState.Closing, "the mapping to be closing");
                await source.CancelAsync();
                await Assert.ThrowsAnyAsync<OperationCanceledException>(() => abandoned.InTime());
            }
            else
            {
                Assert.Equal(5, (await Assert.ThrowsAsync<MappingBusyException>(() => abandoned.InTime())).Page);
            }
        }

        pin.Dispose();
        lease.Dispose();
        Assert.Equal(MappingState.Open, test.Mapping.State);
        Assert.Equal(8, test.Mapping.GetDirtyPages().Pages.Count);
        Assert.Equal(10UL, test.Mapping.GetDirtyPages().OldestLsn);
        await test.Mapping.FlushAsync().InTime();
        for (long page = 0; page < 8; page++)
        {
            Assert.Equal(10 + (ulong)page, LoggedPages.Read(test.Device.Bytes(page)));
        }

        await test.Mapping.AbandonAsync().InTime();
    }

    [Fact]
    public async Task A_pin_of_a_page_that_was_truncated_away_keeps_what_is_dirty_as_well()
    {
        await using TestCache test = await TestCache.OpenAsync(frameTimeout: TimeSpan.FromMilliseconds(60));
        PagePin pin = test.Mapping.Pin(60);
        await test.Mapping.TruncateAsync(32 * 4096).InTime();
        test.Fill(1, 2);
        await Assert.ThrowsAsync<MappingBusyException>(() => test.Mapping.AbandonAsync().InTime());
        Assert.Equal(MappingState.Open, test.Mapping.State);
        Assert.Equal(2, test.ByteOf(1));
        pin.Dispose();
        await test.Mapping.CloseAsync().InTime();
        Assert.Equal(2, test.Device.Bytes(1)[0]);
    }
}
