using System.Collections.Concurrent;
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

        IReadOnlyList<DeviceCall> meanwhile;
        try
        {
            // Within the device, and beyond its end. The flusher goes through the pages in their order, round and round.
            test.Fill(1, 1);
            test.Fill(50, 2);
            Flush(test, until: () => device.WriteCalls.Count >= 1);
            test.Fill(0, 3);
            Flush(test, until: () => device.WriteCalls.Any(call => call.Page == 0));
            meanwhile = device.WriteCalls;
        }
        finally
        {
            mayGrow.SetResult();
        }

        await flush.InTime();
        await test.Mapping.FlushAsync().InTime();
        Assert.Equal([1L, 0L], meanwhile.Select(call => call.Page));
        Assert.Equal(-1, device.Bytes(50).AsSpan().IndexOfAnyExcept((byte)2));
    }

    /// <summary>One that has begun before it is said that none may is waited for, and is found to have moved the end.</summary>
    [Fact]
    public async Task A_write_beyond_the_end_ends_before_the_device_is_made_longer()
    {
        ScriptedDevice device = new();
        await using TestCache test = await TestCache.OpenAsync(device: device);
        await test.Mapping.ExtendAsync(20 * 4096);
        ConcurrentQueue<string> order = [];
        device.BeforeLength = length =>
        {
            order.Enqueue($"from {device.Memory.Length / 4096} to {length / 4096} pages");
            return Task.CompletedTask;
        };
        device.Hold = call => call.Operation == BlockOperation.Write;
        int begun = 0;
        device.OnLength = () =>
        {
            // The flush has found nothing more to write, and looks whether the device is long enough.
            if (Interlocked.Exchange(ref begun, 1) == 0)
            {
                test.Fill(9, 2);
                Flush(test, until: () => device.HeldCount == 1);
            }
        };
        Task flush = test.Mapping.FlushAsync().AsTask();
        await TurnOfOwnThread(test);
        Assert.Empty(order);
        device.ReleaseAll();
        await flush.InTime();
        Assert.Equal(["from 10 to 20 pages"], order);
    }

    /// <summary>Has the background flusher write what it can.</summary>
    private static void Flush(TestCache test, Func<bool> until)
    {
        test.Cache.Core.WriteBack.Kick(urgent: true);
        Wait.Until(until, "the flusher to write");
    }

    /// <summary>Until the cache's own thread has done what it was asked for before: a flush has begun what it can.</summary>
    private static Task TurnOfOwnThread(TestCache test) => test.Cache.Core.OwnThread.Run(static async () => await Task.Yield()).InTime();
}
