using Xunit;

namespace StorageCache.KeyValueStore.Tests.Durability;

public class BatchTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_changes_of_a_batch_are_made_in_order_and_the_last_one_of_a_key_counts()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File(), cancellationToken: Cancellation);
        await store.PutAsync(TestData.Key(1), TestData.Value(1, 30_000), Cancellation);
        KeyValueBatch batch = new();
        batch.Put(TestData.Key(2), TestData.Value(2, 10));
        batch.Delete(TestData.Key(2));
        batch.Put(TestData.Key(3), TestData.Value(3, 50_000));
        batch.Put(TestData.Key(3), TestData.Value(4, 60_000));
        batch.Put(TestData.Key(3), TestData.Value(5, 20));
        batch.Delete(TestData.Key(1));
        batch.Delete(TestData.Key(9));
        batch.Put(TestData.Key(1), TestData.Value(6, 40_000));
        Assert.Equal(8, batch.Count);
        await store.WriteAsync(batch, Cancellation);
        Assert.Null(await store.GetAsync(TestData.Key(2), Cancellation));
        Assert.Equal(TestData.Value(5, 20), await store.GetAsync(TestData.Key(3), Cancellation));
        Assert.Equal(TestData.Value(6, 40_000), await store.GetAsync(TestData.Key(1), Cancellation));
        Assert.Equal(2, store.Count);
        await store.AssertSoundAsync();

        batch.Clear();
        await store.WriteAsync(batch, Cancellation);
        Assert.Equal(2, store.Count);
    }

    /// <remarks>KV-15, KV-16.</remarks>
    [Fact]
    public async Task A_batch_that_splits_and_merges_pages_is_sound_and_recovers_whole()
    {
        DiskFiles files = new();
        KeyValueStore store = await files.OpenAsync();
        KeyValueBatch batch = new();
        for (int i = 0; i < 600; i++)
        {
            batch.Put(TestData.Key(i), TestData.Value(i, 100));
        }

        await store.WriteAsync(batch, Cancellation);
        await store.AssertSoundAsync();
        batch.Clear();
        for (int i = 0; i < 590; i++)
        {
            batch.Delete(TestData.Key(i));
            batch.Put(TestData.Key(1000 + i), TestData.Value(i, 60));
        }

        await store.WriteAsync(batch, Cancellation);
        await store.AssertSoundAsync();
        files.Pages.PowerFailsAfter = 0;
        files.Log.PowerFailsAfter = 0;
        await Assert.ThrowsAnyAsync<IOException>(async () => await store.CloseAsync());
        files.LosePower(new Random(1));
        await using KeyValueStore again = await files.OpenAsync();
        Assert.Equal(2, again.Recovery.Commits);
        Assert.Equal(600, again.Count);
        await again.AssertSoundAsync();
    }

    [Fact]
    public async Task A_batch_that_changes_too_much_at_once_is_refused_and_nothing_has_happened()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File(), new KeyValueStoreOptions { CacheSize = 2 << 20 }, Cancellation);
        await store.PutAsync(TestData.Key(1), TestData.Value(1, 10), Cancellation);
        KeyValueStoreStatistics before = store.GetStatistics();
        KeyValueBatch batch = new();
        for (int i = 0; i < 3000; i++)
        {
            batch.Put(TestData.Key(i), TestData.Value(i, 500));
        }

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>("batch", async () => await store.WriteAsync(batch, Cancellation));
        Assert.Contains("a quarter of the cache", exception.Message, StringComparison.Ordinal);
        Assert.Equal(1, store.Count);
        Assert.Equal(before.LogBytes, store.GetStatistics().LogBytes);
        await store.AssertSoundAsync();
    }

    [Fact]
    public void What_cannot_be_put_is_refused_when_it_is_added()
    {
        KeyValueBatch batch = new();
        Assert.Throws<ArgumentException>("key", () => batch.Put(new byte[KeyValueStore.MaximumKeyLength + 1], Array.Empty<byte>()));
        Assert.Throws<ArgumentException>("key", () => batch.Delete(new byte[KeyValueStore.MaximumKeyLength + 1]));
        Assert.Throws<ArgumentException>("value", () => batch.Put(new byte[1], new byte[KeyValueStore.MaximumValueLength + 1]));
        Assert.Equal(0, batch.Count);
    }
}
