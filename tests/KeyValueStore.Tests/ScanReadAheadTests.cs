using Xunit;

namespace StorageCache.KeyValueStore.Tests;

public class ScanReadAheadTests
{
    private const int Entries = 600;

    /// <summary>Five pages of 4 KiB each, written one behind the other.</summary>
    private const int ValueLength = 20_000;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_scan_reads_each_page_about_once_and_many_values_with_one_request(bool reverse)
    {
        using TemporaryDirectory directory = new();
        await FillAsync(directory.File(), Entries, ValueLength);
        await using KeyValueStore store = await OpenAsync(directory.File());
        PageCacheStatistics before = store.Cache.GetStatistics();
        Assert.Equal(Entries, (await store.ScanAsync(new ScanOptions { Reverse = reverse }).ToListAsync()).Count);
        PageCacheStatistics after = store.Cache.GetStatistics();

        // With what opening the store has read: the file's first pages, and perhaps some that come behind them.
        long pages = store.GetStatistics().PageCount;
        Assert.InRange(after.BytesRead / store.PageSize, Entries * 5, pages + (pages / 20));
        Assert.InRange(after.Reads - before.Reads, 1, Entries / 4);
        Assert.Equal(1, after.PinsHeld);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_scan_of_leaves_asks_for_many_at_a_time(bool reverse)
    {
        using TemporaryDirectory directory = new();
        await FillAsync(directory.File(), 20_000, 200);
        await using KeyValueStore store = await OpenAsync(directory.File());
        PageCacheStatistics before = store.Cache.GetStatistics();
        await store.ScanAsync(new ScanOptions { Reverse = reverse, KeysOnly = true }).ToListAsync();
        PageCacheStatistics after = store.Cache.GetStatistics();

        KeyValueStoreStatistics statistics = store.GetStatistics();
        long pages = statistics.LeafPages + statistics.BranchPages;
        Assert.InRange(after.BytesRead / store.PageSize, statistics.LeafPages, pages + (pages / 20));
        Assert.InRange(after.Reads - before.Reads, 1, statistics.LeafPages / 5);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_scan_with_a_limit_reads_little_more_than_it_gives(bool reverse)
    {
        using TemporaryDirectory directory = new();
        await FillAsync(directory.File(), Entries, ValueLength);

        // In the middle: opening the store has read the file's first pages, and may have read on from there.
        byte[] middle = TestData.Key(Entries / 2);
        ScanOptions options = reverse ? new ScanOptions { Reverse = true, Limit = 3, To = middle } : new ScanOptions { Limit = 3, From = middle };

        // The least of several: where the pages that were asked for come late, their reader misses them one after the other, and the cache
        // takes that for a sequence and reads a window of its own ahead.
        long least = long.MaxValue;
        for (int i = 0; i < 20 && least > (3 * 5) + 12; i++)
        {
            await using KeyValueStore store = await OpenAsync(directory.File());
            PageCacheStatistics before = store.Cache.GetStatistics();
            await store.ScanAsync(options).ToListAsync();
            PageCacheStatistics after = store.Cache.GetStatistics();
            least = Math.Min(least, (after.BytesRead - before.BytesRead) / store.PageSize);
        }

        Assert.InRange(least, 3 * 5, (3 * 5) + 12);
    }

    [Fact]
    public async Task Scans_left_or_cancelled_half_way_hold_nothing()
    {
        using TemporaryDirectory directory = new();
        await FillAsync(directory.File(), Entries, ValueLength);
        KeyValueStore store = await OpenAsync(directory.File());
        PageCache cache = store.Cache;

        // Not disposed of: whoever forgets an enumerator does not keep the store from closing.
        IAsyncEnumerator<KeyValueEntry> left = store.ScanAsync().GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await left.MoveNextAsync());
        using CancellationTokenSource source = new();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (KeyValueEntry entry in store.ScanAsync(cancellationToken: source.Token))
            {
                await source.CancelAsync();
            }
        });

        // The root's.
        Assert.Equal(1, cache.GetStatistics().PinsHeld);
        await store.CloseAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await left.MoveNextAsync());
    }

    private static async Task FillAsync(string path, int entries, int length)
    {
        await using KeyValueStore store = await KeyValueStore.OpenAsync(path);
        for (int i = 0; i < entries; i++)
        {
            await store.PutAsync(TestData.Key(i), TestData.Value(i, length));
        }
    }

    private static ValueTask<KeyValueStore> OpenAsync(string path) =>
        KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { CacheSize = 4 << 20, ReadOnly = true });
}
