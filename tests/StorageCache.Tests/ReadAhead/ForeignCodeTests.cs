using System.Runtime.CompilerServices;
using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.ReadAhead;

/// <summary>RA-10: one who reads ahead holds a page, and runs nobody's code meanwhile.</summary>
public sealed class ForeignCodeTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Continuations_of_those_who_wait_for_pages_read_ahead_run_elsewhere(bool isMark)
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, inline: true, pattern: AccessPattern.Normal);
        test.Mapping.Read(0).Dispose();
        long page = 1;
        long ahead = 2;
        if (isMark)
        {
            // It is met under an exclusive latch.
            test.Mapping.Read(1).Dispose();
            page = 2;
            ahead = 6;
        }

        // Somebody comes to wait for the window's first page while it is read, by a device that completes in place.
        using ThreadLocal<bool> isReading = new();
        TaskCompletionSource<bool> continued = new(TaskCreationOptions.RunContinuationsAsynchronously);
        test.Device.Hold = call =>
        {
            if (call.Operation == BlockOperation.Read && call.Page == ahead)
            {
                ValueTaskAwaiter<PageReadLease> wait = test.Mapping.ReadAsync(ahead).GetAwaiter();
                Assert.False(wait.IsCompleted);
                wait.UnsafeOnCompleted(() =>
                {
                    wait.GetResult().Dispose();
                    continued.SetResult(isReading.Value);
                });
            }

            return false;
        };
        isReading.Value = true;
        test.Mapping.Write(page).Dispose();
        isReading.Value = false;
        test.Device.Hold = null;
        Assert.False(await continued.Task.InTime(), "a continuation has run inside somebody's read-ahead");
    }
}
