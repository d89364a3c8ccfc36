using Xunit;

namespace StorageCache.KeyValueStore.Tests.Durability;

/// <summary>Values that were given up when they had made the file longer than one map page describes (KV-9).</summary>
public class GivenUpTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_value_that_was_given_up_in_the_next_group_of_pages_leaves_no_trace(bool isFollowedByAnother)
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        string copy = directory.File("copy.kv");
        int count = isFollowedByAnother ? 2 : 1;
        KeyValueStoreOptions options = new() { CacheSize = 8 << 20, Durability = KeyValueDurability.Written };
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path, options, Cancellation))
        {
            await store.PutAsync(TestData.Key(0), new byte[KeyValueStore.MaximumValueLength], Cancellation);
            await Assert.ThrowsAsync<IOException>(
                async () => await store.PutAsync(TestData.Key(1), new FailingStream(KeyValueStore.MaximumValueLength), Cancellation));
            if (isFollowedByAnother)
            {
                await store.PutAsync(TestData.Key(2), TestData.Value(2, 100), Cancellation);
            }

            await AssertHoldsAsync(store);
            KeyValueStoreClone clone = await store.CloneAsync(directory.File("clone.kv"), Cancellation);
            await AssertHoldsAsync(clone.Store);
            await clone.Store.CloseAsync();
            await store.CheckpointAsync(Cancellation);
            FileCopy.OfOpenStore(path, copy);
        }

        foreach (string file in (string[])[path, copy, directory.File("clone.kv")])
        {
            await using KeyValueStore again = await KeyValueStore.OpenAsync(file, options, Cancellation);
            await AssertHoldsAsync(again);
        }

        async Task AssertHoldsAsync(KeyValueStore store)
        {
            Assert.Equal(count, store.Count);
            await store.AssertSoundAsync();
        }
    }
}
