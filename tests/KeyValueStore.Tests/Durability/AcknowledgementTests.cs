using StorageCache.IO;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Durability;

public class AcknowledgementTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <remarks>KV-19. What a change finds as it wants it may be the work of one that is not durable yet.</remarks>
    [Theory]
    [InlineData(KeyValueDurability.Durable, BlockOperation.Flush)]
    [InlineData(KeyValueDurability.Written, BlockOperation.Write)]
    public async Task A_change_that_changes_nothing_is_acknowledged_no_sooner_than_what_it_relies_on(KeyValueDurability durability, BlockOperation failing)
    {
        DiskFiles files = new();
        KeyValueStore store = await files.OpenAsync(new KeyValueStoreOptions { Durability = durability });
        await store.PutAsync(TestData.Key(1), TestData.Value(1, 100), Cancellation);
        await store.FlushAsync(Cancellation);
        files.Log.Hold();
        Task[] changes =
        [
            store.DeleteAsync(TestData.Key(1), Cancellation).AsTask(),
            store.DeleteAsync(TestData.Key(1), Cancellation).AsTask(),
            store.PutAsync(TestData.Key(2), TestData.Value(2, 100), Cancellation).AsTask(),
            store.PutAsync(TestData.Key(2), TestData.Value(2, 100), Cancellation).AsTask(),
        ];
        files.Log.Fault = request => request.Operation == failing ? new BlockIOException("It fails.", 5) : null;
        files.Log.Release();
        foreach (Task change in changes)
        {
            await Assert.ThrowsAsync<StoreFailedException>(() => change);
        }

        await Assert.ThrowsAsync<StoreFailedException>(async () => await store.CloseAsync());
    }
}
