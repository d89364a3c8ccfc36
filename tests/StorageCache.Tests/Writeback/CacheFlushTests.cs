using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Writeback;

/// <summary>A flush of the whole cache is one of each mapping that was open when it began, also of those that are being closed.</summary>
public class CacheFlushTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_flush_of_the_cache_waits_for_a_mapping_that_is_closing(bool checkpoint)
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(1, 1);
        test.Device.Hold = static call => call.Operation == BlockOperation.Write;
        Task close = test.Mapping.CloseAsync().AsTask();
        test.Device.WaitForHeld(1);
        Task flush = checkpoint ? test.Cache.CheckpointAsync().AsTask() : test.Cache.FlushAsync().AsTask();
        await Task.WhenAny(flush, Task.Delay(100));
        Assert.False(flush.IsCompleted);
        test.Device.ReleaseAll();
        await flush.InTime();
        Assert.Equal(1, test.Device.Flushes);
        await close.InTime();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_flush_of_the_cache_flushes_a_mapping_whose_close_has_failed(bool checkpoint)
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(1, 1);
        using CancellationTokenSource source = new();
        test.Device.Hold = static call => call.Operation == BlockOperation.Write;
        Task close = test.Mapping.CloseAsync(source.Token).AsTask();
        test.Device.WaitForHeld(1);
        Task flush = checkpoint ? test.Cache.CheckpointAsync().AsTask() : test.Cache.FlushAsync().AsTask();
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => close.InTime());
        test.Device.ReleaseAll();
        await flush.InTime();
        Assert.Equal(1, test.Device.Flushes);
        Assert.Equal(0, test.Cache.GetStatistics().DirtyPages);
    }
}
