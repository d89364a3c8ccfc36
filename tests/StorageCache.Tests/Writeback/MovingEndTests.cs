using StorageCache.Buffers;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Writeback;

/// <remarks>WB-15: what a write carries of the last page while the end of the file moves.</remarks>
public class MovingEndTests
{
    /// <summary>
    /// The end moves, and what lies before it is written, after the write has found the page and before the page comes under
    /// write-back. A write that still went by the old end would leave the rest of the page out, and the page would be clean.
    /// </summary>
    [Fact]
    public async Task What_is_written_behind_an_end_that_has_just_moved_is_not_left_out()
    {
        ScriptedDevice device = new();
        await device.Memory.SetLengthAsync(100, default);
        await using TestCache test = await TestCache.OpenAsync(device: device);
        test.Fill(0, 1);

        // The lock stands for a writer's thread that is paused at that point.
        LockList(test, page: 0);
        Task flush = Task.Factory.StartNew(() => test.Mapping.FlushAsync().AsTask(), TaskCreationOptions.LongRunning).Unwrap();
        Wait.Until(() => test.Cache.Core.WriteBack.InUse == 1, "the flush to begin a write");
        for (int i = 0; i < 1000; i++)
        {
            // It comes to the lock soon. Should it take longer, the test proves nothing, and passes.
            Thread.Yield();
        }

        await test.Mapping.ExtendAsync(4096);
        test.Fill(0, 2);
        UnlockList(test, page: 0);
        await flush.InTime();
        Assert.Equal(-1, device.Bytes(0).AsSpan().IndexOfAnyExcept((byte)2));
    }

    private static unsafe void LockList(TestCache test, long page) => StateWord.LockList(test.Mapping.Table.Find(page));

    private static unsafe void UnlockList(TestCache test, long page) => StateWord.UnlockList(test.Mapping.Table.Find(page));
}
