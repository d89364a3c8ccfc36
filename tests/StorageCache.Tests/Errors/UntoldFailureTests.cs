using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Errors;

/// <summary>What could not be made durable is lost with the close that drops it: nobody is to take that for a close that has kept it.</summary>
public class UntoldFailureTests
{
    [Fact]
    public async Task A_close_that_waits_for_a_flush_that_fails_says_so_and_the_next_close_closes()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(1, 1);
        HoldFlushes(test);
        Task flush = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        Task close = test.Mapping.CloseAsync().AsTask();
        FailFlushes(test);
        await Assert.ThrowsAsync<FlushFailedException>(() => flush.InTime());
        await Assert.ThrowsAsync<MappingFailedException>(() => close.InTime());
        Assert.Equal(MappingState.Failed, test.Mapping.State);
        await test.Mapping.CloseAsync().InTime();
        Assert.Equal(MappingState.Closed, test.Mapping.State);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_failure_that_was_told_to_nobody_is_told_to_who_closes(bool disposes)
    {
        TestCache test = await TestCache.OpenAsync();
        test.Fill(1, 1);
        HoldFlushes(test);
        using CancellationTokenSource source = new();
        Task flush = test.Mapping.FlushAsync(source.Token).AsTask();
        test.Device.WaitForHeld(1);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => flush.InTime());
        FailFlushes(test);
        Wait.Until(() => test.Mapping.State == MappingState.Failed, "the mapping to fail");
        if (disposes)
        {
            await Assert.ThrowsAsync<MappingFailedException>(() => test.Cache.DisposeAsync().InTime());
            return;
        }

        await Assert.ThrowsAsync<MappingFailedException>(() => test.Mapping.CloseAsync().InTime());
        await test.Mapping.CloseAsync().InTime();
        Assert.Equal(MappingState.Closed, test.Mapping.State);
        await test.DisposeAsync();
    }

    private static void HoldFlushes(TestCache test) => test.Device.Hold = static call => call.Operation == BlockOperation.Flush;

    private static void FailFlushes(TestCache test)
    {
        test.Device.Fault = static call => call.Operation == BlockOperation.Flush ? ScriptedDevice.Eio(call) : null;
        test.Device.ReleaseAll();
    }
}
