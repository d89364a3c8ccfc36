using StorageCache.Tests.Harness;
using StorageCache.Writeback;
using Xunit;

namespace StorageCache.Tests.Writeback;

public class SyncGroupTests
{
    /// <summary>
    /// A sync ends just as another is asked for: that one must begin afterwards, and so must all later ones. (Once the
    /// end came between two looks at the same sync, and the next one was remembered when it was already over.)
    /// </summary>
    [Fact]
    public async Task Every_call_is_covered_by_a_sync_that_began_after_it()
    {
        long begun = 0;
        TaskCompletionSource? running = null;
        TaskCompletionSource? ending = null;
        bool stop = false;
        SyncGroup group = new(() =>
        {
            Interlocked.Increment(ref begun);
            return Interlocked.Exchange(ref running, null)?.Task ?? Task.CompletedTask;
        });
        Thread other = new(() =>
        {
            Random random = new(5);
            while (!Volatile.Read(ref stop))
            {
                if (Interlocked.Exchange(ref ending, null) is { } source)
                {
                    Thread.SpinWait(random.Next(30));
                    source.SetResult();
                }
                else
                {
                    Thread.Yield();
                }
            }
        });
        other.Start();
        try
        {
            Random random = new(6);
            for (int i = 0; i < 10_000; i++)
            {
                TaskCompletionSource source = new(TaskCreationOptions.RunContinuationsAsynchronously);
                Volatile.Write(ref running, source);
                Task first = group.SyncAsync();
                Volatile.Write(ref ending, source);
                Thread.SpinWait(random.Next(30));
                long before = Volatile.Read(ref begun);
                await group.SyncAsync().InTime();
                Assert.True(Volatile.Read(ref begun) > before, $"round {i}");
                await first.InTime();
            }
        }
        finally
        {
            Volatile.Write(ref stop, true);
            other.Join();
        }
    }

    [Fact]
    public async Task Calls_during_a_sync_share_the_next_one()
    {
        List<TaskCompletionSource> syncs = [];
        SyncGroup group = new(() =>
        {
            TaskCompletionSource source = new(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (syncs)
            {
                syncs.Add(source);
            }

            return source.Task;
        });
        Task first = group.SyncAsync();
        Task[] others = [.. Enumerable.Range(0, 10).Select(_ => group.SyncAsync())];
        Assert.Single(syncs);
        syncs[0].SetException(new IOException());
        await Assert.ThrowsAsync<IOException>(() => first.InTime());
        Wait.Until(() => syncs.Count == 2, "the next sync");
        Assert.All(others, other => Assert.False(other.IsCompleted));
        syncs[1].SetResult();
        await Task.WhenAll(others).InTime();
        Assert.Equal(2, syncs.Count);
    }
}
