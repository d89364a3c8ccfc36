using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Durability;

public class CheckpointTests
{
    private const long Interval = 256 << 10;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <remarks>KV-17: what a crash leaves to be read is bounded by the setting.</remarks>
    [Fact]
    public async Task The_log_never_gets_longer_than_two_intervals_and_a_commit()
    {
        DiskFiles files = new();
        await using KeyValueStore store = await files.OpenAsync(new KeyValueStoreOptions { CheckpointBytes = Interval });
        long most = 0;
        for (int i = 0; i < 1500; i++)
        {
            await store.PutAsync(TestData.Key(i % 300), TestData.Value(i, 2000), Cancellation);
            most = Math.Max(most, store.GetStatistics().LogBytes);
        }

        Assert.InRange(most, Interval, (2 * Interval) + (64 << 10));
        Assert.True(store.GetStatistics().Checkpoints > 1);

        // Segments are used again: the file does not grow with what is written.
        Assert.True(files.Log.Length < 5 * Interval, $"{files.Log.Length} bytes");
        await store.AssertSoundAsync();
    }

    [Fact]
    public async Task Readers_and_writers_go_on_while_a_checkpoint_waits_for_the_disk()
    {
        DiskFiles files = new();
        await using KeyValueStore store = await files.OpenAsync();
        for (int i = 0; i < 300; i++)
        {
            await store.PutAsync(TestData.Key(i), TestData.Value(i, 200), Cancellation);
        }

        files.Pages.Hold();
        Task checkpoint = store.CheckpointAsync(Cancellation).AsTask();
        while (files.Pages.HeldCount == 0)
        {
            await Task.Yield();
        }

        for (int i = 0; i < 300; i++)
        {
            Assert.Equal(TestData.Value(i, 200), await store.GetAsync(TestData.Key(i), Cancellation));
        }

        await store.PutAsync(TestData.Key(1), TestData.Value(7, 300), Cancellation);
        Assert.Equal(TestData.Value(7, 300), await store.GetAsync(TestData.Key(1), Cancellation));
        Assert.False(checkpoint.IsCompleted);
        files.Pages.Release();
        await checkpoint;
        await store.AssertSoundAsync();
    }

    [Fact]
    public async Task A_checkpoint_that_fails_in_the_background_is_tried_again()
    {
        DiskFiles files = new();
        await using KeyValueStore store = await files.OpenAsync(new KeyValueStoreOptions { CheckpointBytes = Interval });
        await store.PutAsync(TestData.Key(0), TestData.Value(0, 10), Cancellation);
        int failures = 0;
        files.Pages.Fault = request =>
        {
            bool fails = request.Operation == BlockOperation.Write && Volatile.Read(ref failures) < 20;
            return fails && Interlocked.Increment(ref failures) > 0 ? new BlockIOException("It fails.", 5) : null;
        };
        for (int i = 0; store.GetStatistics().Checkpoints == 0; i++)
        {
            await store.PutAsync(TestData.Key(i % 300), TestData.Value(i, 2000), Cancellation);
        }

        Assert.Equal(20, failures);
        await store.AssertSoundAsync();
    }

    /// <remarks>LOG-17.</remarks>
    [Fact]
    public async Task Changes_made_at_the_same_time_share_a_flush()
    {
        DiskFiles files = new();
        await using KeyValueStore store = await files.OpenAsync();
        await store.PutAsync(TestData.Key(0), TestData.Value(0, 10), Cancellation);
        int flushes = files.Log.Flushes;
        files.Log.Hold();
        Task[] puts = [.. Enumerable.Range(0, 64).Select(i => store.PutAsync(TestData.Key(i), TestData.Value(i, 50), Cancellation).AsTask())];
        while (store.GetStatistics().Entries < 64)
        {
            await Task.Yield();
        }

        files.Log.Release();
        await Task.WhenAll(puts);

        // The first one's, and one for all who came while it was under way; another if that was begun before the last of them had committed.
        Assert.InRange(files.Log.Flushes - flushes, 1, 3);
    }

    [Fact]
    public async Task What_was_written_without_waiting_for_the_disk_is_flushed_at_intervals()
    {
        DiskFiles files = new();
        await using KeyValueStore store = await files.OpenAsync(
            new KeyValueStoreOptions { Durability = KeyValueDurability.Written, FlushInterval = TimeSpan.FromMilliseconds(5) });
        int flushes = files.Log.Flushes;
        await store.PutAsync(TestData.Key(0), TestData.Value(0, 10), Cancellation);
        while (files.Log.Flushes < flushes + 2)
        {
            await Task.Delay(1, Cancellation);
        }

        int idle = files.Log.Flushes;
        await Task.Delay(30, Cancellation);
        Assert.InRange(files.Log.Flushes, idle, idle + 1);
    }

    /// <remarks>KV-17. A first change that was given up while it wrote the meta page leaves that to the next one, which meets a checkpoint there.</remarks>
    [Fact]
    public async Task A_change_that_writes_the_meta_page_beside_a_checkpoint_does_not_take_its_redo_point_back()
    {
        DiskFiles files = new();
        await (await files.OpenAsync()).CloseAsync();
        KeyValueStore store = await files.OpenAsync();
        files.Pages.Hold();
        using CancellationTokenSource giveUp = new();
        Task given = store.PutAsync(TestData.Key(1), TestData.Value(1, 100), giveUp.Token).AsTask();
        await WaitForHeldAsync(1);
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        files.Pages.Release();
        await store.FlushAsync(Cancellation);

        // The checkpoint comes to the meta page, and the change after it.
        files.Pages.Fault = request =>
        {
            if (request.Operation == BlockOperation.Write && request.Offset == 0)
            {
                files.Pages.Fault = null;
                files.Pages.Hold();
            }

            return null;
        };
        Task checkpoint = store.CheckpointAsync(Cancellation).AsTask();
        await WaitForHeldAsync(1);
        Task change = store.PutAsync(TestData.Key(2), TestData.Value(2, 100), Cancellation).AsTask();
        for (int i = 0; i < 1000; i++)
        {
            await Task.Yield();
        }

        files.Pages.Release();
        await checkpoint;
        await change;
        long logBytes = store.GetStatistics().LogBytes;
        files.Pages.PowerFailsAfter = 0;
        files.Log.PowerFailsAfter = 0;
        await Assert.ThrowsAnyAsync<IOException>(async () => await store.CloseAsync());
        files.LosePower(new Random(1));
        await using KeyValueStore again = await files.OpenAsync();
        Assert.Equal(logBytes, again.Recovery.LogBytes);
        Assert.Equal(1, again.Count);

        async Task WaitForHeldAsync(int count)
        {
            while (files.Pages.HeldCount < count)
            {
                await Task.Yield();
            }
        }
    }

    /// <remarks>KV-17. The meta page names the redo point already, and the log fails before it hears of it: that is tried again now and then, and not for ever.</remarks>
    [Fact]
    public async Task A_checkpoint_whose_log_fails_at_its_end_is_tried_again_after_a_pause()
    {
        DiskFiles files = new();
        CountingTime time = new();
        KeyValueStore store = await files.OpenAsync(new KeyValueStoreOptions { CheckpointBytes = 96 << 10, TimeProvider = time });
        await store.PutAsync(TestData.Key(0), TestData.Value(0, 900), Cancellation);
        files.Pages.Hold();
        int key = 1;
        while (store.GetStatistics().LogBytes < 96 << 10)
        {
            await store.PutAsync(TestData.Key(key), TestData.Value(key++, 900), Cancellation).AsTask().InTime();
        }

        Wait.Until(() => files.Pages.HeldCount > 0, "the checkpoint to write");

        // The flush that makes the log longer fails, when all that was asked of it is durable.
        bool writesZeros = false;
        files.Log.Fault = request =>
        {
            writesZeros = request.Operation == BlockOperation.Write ? !request.Segments[0].Span.ContainsAnyExcept((byte)0) : writesZeros;
            return request.Operation == BlockOperation.Flush && writesZeros ? new BlockIOException("It fails.", 5) : null;
        };
        await Assert.ThrowsAsync<StoreFailedException>(async () =>
        {
            while (true)
            {
                await store.PutAsync(TestData.Key(key), TestData.Value(key++, 900), Cancellation).AsTask().InTime();
            }
        });
        long timers = time.Timers;
        files.Pages.Release();

        // The first attempts get further: to the meta page, and then to one that names the very end.
        Wait.Until(() => time.Timers >= timers + 4, "the checkpoint to pause, again and again");
        await Assert.ThrowsAsync<StoreFailedException>(async () => await store.CloseAsync());
    }

    private sealed class CountingTime : TimeProvider
    {
        private long _timers;

        public long Timers => Volatile.Read(ref _timers);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Interlocked.Increment(ref _timers);
            return base.CreateTimer(callback, state, dueTime, period);
        }
    }
}
