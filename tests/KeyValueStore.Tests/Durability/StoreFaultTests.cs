using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Durability;

public class StoreFaultTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <remarks>KV-15. Whether the change that waited has happened is known when the store is opened anew.</remarks>
    [Theory]
    [InlineData(BlockOperation.Write)]
    [InlineData(BlockOperation.Flush)]
    public async Task A_log_that_fails_is_told_to_whoever_waits_and_reads_go_on(BlockOperation operation)
    {
        DiskFiles files = new();
        KeyValueStore store = await files.OpenAsync();
        await store.PutAsync(TestData.Key(1), TestData.Value(1, 100), Cancellation);
        files.Log.Fault = request => request.Operation == operation ? new BlockIOException("It fails.", 5) : null;
        StoreFailedException failure = await Assert.ThrowsAsync<StoreFailedException>(
            async () => await store.PutAsync(TestData.Key(2), TestData.Value(2, 100), Cancellation));
        Assert.Contains("until it is opened anew", failure.Message, StringComparison.Ordinal);
        Assert.Contains("It fails.", failure.Message, StringComparison.Ordinal);
        Assert.Equal(5, failure.HResult);
        await Assert.ThrowsAsync<StoreFailedException>(async () => await store.PutAsync(TestData.Key(3), TestData.Value(3, 100), Cancellation));
        await Assert.ThrowsAsync<StoreFailedException>(async () => await store.FlushAsync(Cancellation));
        Assert.Equal(TestData.Value(1, 100), await store.GetAsync(TestData.Key(1), Cancellation));
        files.Log.Fault = null;
        await Assert.ThrowsAsync<StoreFailedException>(async () => await store.PutAsync(TestData.Key(4), TestData.Value(4, 100), Cancellation));
        await Assert.ThrowsAsync<StoreFailedException>(async () => await store.CloseAsync());

        await using KeyValueStore again = await files.OpenAsync();
        Assert.True(again.Recovery.WasNeeded);
        Assert.Equal(TestData.Value(1, 100), await again.GetAsync(TestData.Key(1), Cancellation));
        Assert.Null(await again.GetAsync(TestData.Key(3), Cancellation));
        Assert.Null(await again.GetAsync(TestData.Key(4), Cancellation));
        await again.AssertSoundAsync();
    }

    [Fact]
    public async Task A_file_that_cannot_be_synchronised_ends_changes_and_loses_none()
    {
        DiskFiles files = new();
        KeyValueStore store = await files.OpenAsync();
        await store.PutAsync(TestData.Key(1), TestData.Value(1, 100), Cancellation);
        BlockIOException cause = new("The disk fails.", 5);
        files.Pages.Fault = request => request.Operation == BlockOperation.Flush ? cause : null;
        await Assert.ThrowsAsync<FlushFailedException>(async () => await store.CheckpointAsync(Cancellation));
        StoreFailedException failure = await Assert.ThrowsAsync<StoreFailedException>(
            async () => await store.PutAsync(TestData.Key(2), TestData.Value(2, 100), Cancellation));
        Assert.Same(cause, failure.InnerException);
        Assert.Contains(cause.Message, failure.Message, StringComparison.Ordinal);
        Assert.Equal(cause.Errno, failure.HResult);
        Assert.Equal(TestData.Value(1, 100), await store.GetAsync(TestData.Key(1), Cancellation));
        files.Pages.Fault = null;
        await Assert.ThrowsAsync<StoreFailedException>(async () => await store.CloseAsync());
        files.LosePower(new Random(3));
        await using KeyValueStore again = await files.OpenAsync();
        Assert.Equal(TestData.Value(1, 100), await again.GetAsync(TestData.Key(1), Cancellation));
        await again.AssertSoundAsync();
    }

    /// <remarks>
    /// KV-17. The meta page names a new redo point and cannot be synchronised: who opens the store then reads a redo point that a loss of power may take back,
    /// and must not use the log below it again. Where the log ends decides whether it would: so several ends are tried.
    /// </remarks>
    [Fact]
    public async Task A_redo_point_that_is_not_durable_is_made_durable_before_it_is_relied_upon()
    {
        for (int keys = 40; keys < 48; keys++)
        {
            DiskFiles files = new();
            KeyValueStore store = await files.OpenAsync();
            for (int i = 0; i < keys; i++)
            {
                await store.PutAsync(TestData.Key(i), TestData.Value(i, 2000), Cancellation);
            }

            bool writesMeta = false;
            files.Pages.Fault = request =>
            {
                writesMeta |= request.Operation == BlockOperation.Write && request.Offset == 0;
                return writesMeta && request.Operation == BlockOperation.Flush ? new BlockIOException("It fails.", 5) : null;
            };
            await Assert.ThrowsAsync<FlushFailedException>(async () => await store.CheckpointAsync(Cancellation));
            await Assert.ThrowsAsync<StoreFailedException>(async () => await store.CloseAsync());
            files.Pages.Fault = static request => request.Operation == BlockOperation.Flush ? new BlockIOException("It fails.", 5) : null;
            try
            {
                KeyValueStore next = await files.OpenAsync();
                await Assert.ThrowsAnyAsync<IOException>(async () => await next.PutAsync(TestData.Key(0), TestData.Value(0, 2000), Cancellation));
                await Assert.ThrowsAnyAsync<IOException>(async () => await next.CloseAsync());
            }
            catch (FlushFailedException)
            {
                // It cannot rely upon what it has read.
            }

            files.Pages.Fault = null;
            files.LosePower(new Random(keys));
            await using KeyValueStore again = await files.OpenAsync();
            for (int i = 0; i < keys; i++)
            {
                Assert.Equal(TestData.Value(i, 2000), await again.GetAsync(TestData.Key(i), Cancellation));
            }

            await again.AssertSoundAsync();
        }
    }

    [Fact]
    public async Task A_page_that_cannot_be_written_fails_the_checkpoint_and_not_the_store()
    {
        DiskFiles files = new();
        KeyValueStore store = await files.OpenAsync();
        await store.PutAsync(TestData.Key(1), TestData.Value(1, 100), Cancellation);
        files.Pages.Fault = static request => request.Operation == BlockOperation.Write ? new BlockIOException("It fails.", 5) : null;
        await Assert.ThrowsAsync<PageWriteException>(async () => await store.CheckpointAsync(Cancellation));
        await store.PutAsync(TestData.Key(2), TestData.Value(2, 100), Cancellation);
        files.Pages.Fault = null;
        await store.CheckpointAsync(Cancellation);
        Assert.InRange(store.GetStatistics().LogBytes, 0, 8192);
        await store.CloseAsync();
        await using KeyValueStore again = await files.OpenAsync();
        Assert.False(again.Recovery.WasNeeded);
        Assert.Equal(2, again.Count);
    }

    /// <remarks>A read that was given up is under way all the same. The files are not closed under it, and are when it has ended.</remarks>
    [Fact]
    public async Task Closing_waits_for_a_read_that_the_disk_does_not_end()
    {
        DiskFiles files = new();
        await using (KeyValueStore full = await files.OpenAsync())
        {
            for (int i = 0; i < 100; i++)
            {
                await full.PutAsync(TestData.Key(i), TestData.Value(i, 900), Cancellation);
            }
        }

        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 4 << 20, FrameTimeout = TimeSpan.FromMilliseconds(20) });
        KeyValueStore store = await KeyValueStore.OpenAsync(cache, "store", new KeyValueStoreOptions { Files = files, LogSegmentSize = 64 << 10 });
        files.Pages.Hold();
        using CancellationTokenSource impatience = new();
        Task<byte[]?> get = store.GetAsync(TestData.Key(50), impatience.Token).AsTask();
        Wait.Until(() => files.Pages.HeldCount > 0, "the read");
        await impatience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => get.InTime());
        Task close = store.CloseAsync().AsTask();
        try
        {
            await Assert.ThrowsAsync<TimeoutException>(() => close.WaitAsync(TimeSpan.FromMilliseconds(300), Cancellation));
        }
        finally
        {
            files.Pages.Release();
        }

        await close.InTime();
    }

    /// <remarks>LOG-16.</remarks>
    [Fact]
    public async Task A_disk_without_room_for_the_log_refuses_changes_that_can_be_made_once_there_is()
    {
        DiskFiles files = new();
        await using KeyValueStore store = await files.OpenAsync();
        await store.PutAsync(TestData.Key(0), TestData.Value(0, 100), Cancellation);
        files.Log.Capacity = files.Log.Length;
        int refused = 0;
        for (int i = 1; refused == 0; i++)
        {
            try
            {
                await store.PutAsync(TestData.Key(i), TestData.Value(i, 3000), Cancellation);
            }
            catch (IOException exception)
            {
                Assert.IsNotType<StoreFailedException>(exception);
                refused = i;
            }
        }

        Assert.Null(await store.GetAsync(TestData.Key(refused), Cancellation));
        Assert.Equal(refused, store.Count);
        files.Log.Capacity = long.MaxValue;
        await store.PutAsync(TestData.Key(refused), TestData.Value(refused, 3000), Cancellation);
        Assert.Equal(refused + 1, store.Count);
        await store.AssertSoundAsync();
    }

    /// <remarks>Whatever is there when the power goes, the next opening makes an empty store of it, or finds one.</remarks>
    [Fact]
    public async Task A_store_whose_making_was_cut_off_anywhere_is_made_anew()
    {
        bool hasSucceeded = false;
        for (int step = 0; !hasSucceeded; step++)
        {
            for (int seed = 0; seed < 8; seed++)
            {
                DiskFiles files = new();
                files.Pages.PowerFailsAfter = step % 2 == 0 ? step / 2 : -1;
                files.Log.PowerFailsAfter = step % 2 == 1 ? step / 2 : -1;
                try
                {
                    KeyValueStore store = await files.OpenAsync();
                    hasSucceeded |= step > 40;
                    await store.CloseAsync();
                }
                catch (IOException)
                {
                    // The power went.
                }

                files.LosePower(new Random((step * 100) + seed));
                await using KeyValueStore again = await files.OpenAsync();
                Assert.Equal(0, again.Count);
                await again.PutAsync(TestData.Key(1), TestData.Value(1, 10), Cancellation);
                await again.AssertSoundAsync();
            }
        }
    }

    /// <remarks>The store is whole without the log that is gone, and stays so while it gets another.</remarks>
    [Fact]
    public async Task A_closed_store_that_gets_a_new_log_can_be_opened_wherever_that_was_cut_off()
    {
        for (int step = 0; step < 32; step++)
        {
            for (int seed = 0; seed < 8; seed++)
            {
                DiskFiles files = new();
                await using (KeyValueStore store = await files.OpenAsync())
                {
                    await store.PutAsync(TestData.Key(1), TestData.Value(1, 100), Cancellation);
                }

                files.Log.Cut(0);
                files.Pages.PowerFailsAfter = step % 2 == 0 ? step / 2 : -1;
                files.Log.PowerFailsAfter = step % 2 == 1 ? step / 2 : -1;
                try
                {
                    await using KeyValueStore store = await files.OpenAsync();
                }
                catch (IOException)
                {
                    // The power went.
                }

                files.LosePower(new Random((step * 100) + seed));
                await using KeyValueStore again = await files.OpenAsync();
                Assert.Equal(TestData.Value(1, 100), await again.GetAsync(TestData.Key(1), Cancellation));
                await again.PutAsync(TestData.Key(2), TestData.Value(2, 10), Cancellation);
                await again.AssertSoundAsync();
            }
        }
    }

    /// <remarks>KV-22. What was lost with the flush was acknowledged, and the log has it; the device has what was before.</remarks>
    [Theory]
    [InlineData(900)]
    [InlineData(3000)]
    public async Task What_a_failed_flush_of_the_file_has_lost_is_not_read_as_it_was_before(int length)
    {
        const int Keys = 4000;
        DiskFiles files = new();
        KeyValueStore store = await files.OpenAsync();
        await FillAsync(0);
        await store.CheckpointAsync(Cancellation);
        await FillAsync(Keys);
        files.Pages.Fault = request =>
        {
            if (request.Operation != BlockOperation.Flush)
            {
                return null;
            }

            files.Pages.LoseWrites();
            return new BlockIOException("It fails.", 5);
        };
        await Assert.ThrowsAsync<FlushFailedException>(async () => await store.CheckpointAsync(Cancellation));
        files.Pages.Fault = null;
        int refused = 0;
        for (int i = 0; i < Keys; i++)
        {
            try
            {
                Assert.Equal(TestData.Value(Keys + i, length), await store.GetAsync(TestData.Key(i), Cancellation));
            }
            catch (MappingFailedException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 1, Keys);
        CheckReport report = await store.CheckAsync(cancellationToken: Cancellation);
        Assert.All(report.Problems, static problem => Assert.Matches("cannot be read|nothing leads to it|the store counts|comes before it|is next", problem.Message));
        await Assert.ThrowsAsync<StoreFailedException>(async () => await store.CloseAsync());
        await using KeyValueStore again = await files.OpenAsync();
        for (int i = 0; i < Keys; i++)
        {
            Assert.Equal(TestData.Value(Keys + i, length), await again.GetAsync(TestData.Key(i), Cancellation));
        }

        await again.AssertSoundAsync();

        async Task FillAsync(int seed)
        {
            for (int i = 0; i < Keys; i += 20)
            {
                KeyValueBatch batch = new();
                for (int key = i; key < i + 20; key++)
                {
                    batch.Put(TestData.Key(key), TestData.Value(seed + key, length));
                }

                await store.WriteAsync(batch, Cancellation);
            }
        }
    }
}
