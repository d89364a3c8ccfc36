using Xunit;

namespace StorageCache.KeyValueStore.Tests.Crashes;

public class AliasTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_store_opened_by_a_symbolic_link_can_be_opened_by_its_name_afterwards()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        string link = directory.File("link.kv");
        await PutAsync(path, 1);
        File.CreateSymbolicLink(link, path);
        await PutAsync(link, 2);
        await PutAsync(path, 3);
    }

    [Fact]
    public async Task A_log_whose_store_was_moved_away_is_not_made_anew()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File("copy.kv");
        string away = directory.File("away.kv");
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(directory.File()))
        {
            await store.PutAsync(TestData.Key(1), TestData.Value(1, 100), Cancellation);
            FileCopy.OfOpenStore(directory.File(), path);
        }

        File.Move(path, away);
        await Assert.ThrowsAnyAsync<KeyValueStoreException>(async () => await KeyValueStore.OpenAsync(path));
        File.Delete(path);
        File.Move(away, path);
        await using KeyValueStore again = await KeyValueStore.OpenAsync(path);
        Assert.Equal(1, again.Count);
    }

    [Fact]
    public async Task A_file_that_is_empty_beside_the_log_of_a_store_is_left_empty()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await PutAsync(path, 1);
        await File.WriteAllBytesAsync(path, [], Cancellation);
        await Assert.ThrowsAsync<StoreFormatException>(async () => await KeyValueStore.OpenAsync(path));
        Assert.Equal(0, new FileInfo(path).Length);
    }

    private static async Task PutAsync(string path, int key)
    {
        await using KeyValueStore store = await KeyValueStore.OpenAsync(path);
        await store.PutAsync(TestData.Key(key), TestData.Value(key, 100), Cancellation);
    }
}
