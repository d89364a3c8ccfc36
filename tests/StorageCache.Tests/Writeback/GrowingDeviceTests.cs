using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Writeback;

/// <remarks>WB-8: what is under way while the device is made longer.</remarks>
public class GrowingDeviceTests
{
    /// <summary>A file system may zero what it adds after a write of it has landed.</summary>
    [Fact]
    public async Task No_write_beyond_the_end_is_under_way_while_the_device_is_made_longer()
    {
        TaskCompletionSource<long> grows = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource mayGrow = new(TaskCreationOptions.RunContinuationsAsynchronously);
        ScriptedDevice device = new(pages: 2);
        await using TestCache test = await TestCache.OpenAsync(device: device);
        await test.Mapping.ExtendAsync(100 * 4096);
        device.BeforeLength = length =>
        {
            grows.TrySetResult(length);
            return mayGrow.Task;
        };
        Task flush = test.Mapping.FlushAsync().AsTask();
        Assert.Equal(100 * 4096, await grows.Task.InTime());

        // Within the device, and beyond its end.
        test.Fill(1, 1);
        test.Fill(50, 2);
        Task another = test.Mapping.FlushAsync().AsTask();
        await TurnOfOwnThread(test);
        IReadOnlyList<DeviceCall> meanwhile = device.WriteCalls;
        mayGrow.SetResult();
        await flush.InTime();
        await another.InTime();
        Assert.Equal([1L], meanwhile.Select(call => call.Page));
        Assert.Equal([1L, 50L], device.WriteCalls.Select(call => call.Page));
        Assert.Equal(-1, device.Bytes(50).AsSpan().IndexOfAnyExcept((byte)2));
    }

    /// <summary>A write that began before is waited for, and is found to have made the device longer.</summary>
    [Fact]
    public async Task A_write_beyond_the_end_ends_before_the_device_is_made_longer()
    {
        ScriptedDevice device = new();
        await using TestCache test = await TestCache.OpenAsync(device: device);
        List<string> order = [];
        device.BeforeLength = length =>
        {
            order.Add($"to {length / 4096} pages from {device.Length / 4096}");
            Assert.Equal(0, device.HeldCount);
            return Task.CompletedTask;
        };
        device.Hold = call => call.Operation == BlockOperation.Write;
        await test.Mapping.ExtendAsync(10 * 4096);
        test.Fill(9, 1);
        Task write = test.Mapping.FlushAsync().AsTask();
        device.WaitForHeld(1);
        await test.Mapping.ExtendAsync(20 * 4096);
        Task flush = test.Mapping.FlushAsync().AsTask();
        await TurnOfOwnThread(test);
        Assert.Empty(order);
        device.ReleaseAll();
        await write.InTime();
        await flush.InTime();
        Assert.Equal(["to 20 pages from 10"], order);
    }

    /// <summary>Until the cache's own thread has done what it was asked for before: a flush has begun what it can.</summary>
    private static Task TurnOfOwnThread(TestCache test) => test.Cache.Core.OwnThread.Run(static () => Task.CompletedTask).InTime();
}
