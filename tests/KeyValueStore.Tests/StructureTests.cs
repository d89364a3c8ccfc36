using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Tree;
using Xunit;

namespace StorageCache.KeyValueStore.Tests;

public class StructureTests
{
    /// <remarks>KV-1 to KV-4, which the check proves.</remarks>
    [Theory]
    [InlineData(4096, 1024)]
    [InlineData(4096, 30)]
    [InlineData(65536, 1024)]
    public async Task A_tree_grows_by_splitting_and_shrinks_back_to_one_page_by_merging(int pageSize, int keyLength)
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(
            directory.File(), new KeyValueStoreOptions { PageSize = pageSize, CacheSize = 16 << 20 });
        Random random = new(3);
        byte[][] keys = new byte[600][];
        for (int i = 0; i < keys.Length; i++)
        {
            // The difference is in the last bytes, so that separators cannot be shortened.
            keys[i] = new byte[keyLength];
            keys[i].AsSpan().Fill(0x55);
            TestData.Key(i * 7919 % 600).CopyTo(keys[i], keyLength - 12);
        }

        random.Shuffle(keys);
        for (int i = 0; i < keys.Length; i++)
        {
            await store.PutAsync(keys[i], TestData.Value(i, 100));
            if (i % 50 == 0)
            {
                await store.AssertSoundAsync();
            }
        }

        KeyValueStoreStatistics full = store.GetStatistics();
        Assert.True(full.Height > 1);
        random.Shuffle(keys);
        for (int i = 0; i < keys.Length; i++)
        {
            Assert.True(await store.DeleteAsync(keys[i]));
            if (i % 50 == 0)
            {
                await store.AssertSoundAsync();
            }
        }

        KeyValueStoreStatistics empty = store.GetStatistics();
        Assert.Equal(1, empty.Height);
        Assert.Equal(1, empty.LeafPages);
        Assert.Equal(0, empty.BranchPages);
        Assert.Equal(empty.PageCount - 3, empty.FreePages);
        await store.AssertSoundAsync();
    }

    [Fact]
    public async Task Keys_in_order_fill_their_pages()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());
        for (int i = 0; i < 5000; i++)
        {
            await store.PutAsync(TestData.Key(i), TestData.Value(i, 50));
        }

        KeyValueStoreStatistics statistics = store.GetStatistics();
        long bytes = statistics.Entries * (12 + 50 + 6);
        Assert.True(bytes > statistics.LeafPages * 4096 * 0.9, $"{bytes} bytes on {statistics.LeafPages} leaves");
        await store.AssertSoundAsync();
    }

    /// <remarks>KV-9, KV-10.</remarks>
    [Fact]
    public async Task Churn_of_small_and_large_values_does_not_grow_the_file()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { CacheSize = 4 << 20 });
        Random random = new(11);
        long pages = 0;
        for (int round = 0; round < 12; round++)
        {
            for (int i = 0; i < 200; i++)
            {
                await store.PutAsync(TestData.Key(i), TestData.Value(i, i % 10 == 0 ? 50_000 : 200));
            }

            foreach (int i in Enumerable.Range(0, 200).OrderBy(_ => random.Next()))
            {
                Assert.True(await store.DeleteAsync(TestData.Key(i)));
            }

            if (round % 3 == 0)
            {
                await store.FlushAsync();
            }

            if (round == 0)
            {
                pages = store.GetStatistics().PageCount;
            }
        }

        Assert.Equal(pages, store.GetStatistics().PageCount);
        await store.AssertSoundAsync();
        await store.CloseAsync();
        Assert.Equal(pages * 4096, new FileInfo(path).Length);
    }

    /// <remarks>KV-9.</remarks>
    [Fact]
    public async Task Overwriting_a_large_value_reuses_its_pages()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());
        for (int i = 0; i < 20; i++)
        {
            await store.PutAsync(TestData.Bytes("key"), TestData.Value(i, 400_000));
        }

        // The new value is complete before the old one goes, so there is room for two.
        Assert.True(store.GetStatistics().PageCount < 2.1 * 400_000 / 4056);
        Assert.Equal(TestData.Value(19, 400_000), await store.GetAsync(TestData.Bytes("key")));
        await store.AssertSoundAsync();
    }

    /// <remarks>KV-8.</remarks>
    [Fact]
    public async Task A_value_being_copied_to_a_slow_stream_is_not_reused_and_is_accounted_for_by_a_flush()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        string copy = directory.File("copy.kv");
        byte[] old = TestData.Value(1, 500_000);
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path))
        {
            await store.PutAsync(TestData.Key(1), old);
            using PausingStream stream = new();
            Task<long?> reader = store.CopyToAsync(TestData.Key(1), stream).AsTask();
            await stream.Paused;

            for (int i = 0; i < 5; i++)
            {
                await store.PutAsync(TestData.Key(1), TestData.Value(2 + i, 500_000));
                await store.AssertSoundAsync();
                await store.FlushAsync();
            }

            FileCopy.OfOpenStore(path, copy);
            stream.Resume();
            Assert.Equal(old.Length, await reader);
            Assert.Equal(old, stream.ToArray());
            await store.AssertSoundAsync();
        }

        foreach (string file in new[] { path, copy })
        {
            await using KeyValueStore store = await KeyValueStore.OpenAsync(file);
            Assert.Equal(TestData.Value(6, 500_000), await store.GetAsync(TestData.Key(1)));
            await store.AssertSoundAsync();
        }
    }

    /// <remarks>KV-6.</remarks>
    [Fact]
    public void A_tree_page_of_random_bytes_never_throws()
    {
        Random random = new(5);
        byte[] page = new byte[4096];
        for (int round = 0; round < 20_000; round++)
        {
            random.NextBytes(page);
            page[16] = (byte)(round % 3);
            page[17] = (byte)(round % 2);
            if (round % 4 != 0)
            {
                PageHeader.SetCount(page, random.Next(100));
            }

            TreePage tree = new(page);
            byte[] key = new byte[random.Next(1025)];
            random.NextBytes(key);
            _ = tree.IsPlausible;
            tree.TrySearch(key, out _, out _);
            tree.TryFindChild(new SeekTarget((SeekKind)(round % 3), key), out _, out _);
            tree.TryGetCell(random.Next(-5, 70_000), out _);
            Assert.True(LoadedPage.TryLoad(9, page) is null or { Level: >= 0 });
        }
    }

    private sealed class PausingStream : MemoryStream
    {
        private readonly TaskCompletionSource _paused = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _resumed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Paused => _paused.Task;

        public void Resume() => _resumed.SetResult();

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _paused.TrySetResult();
            await _resumed.Task;
            await base.WriteAsync(buffer, cancellationToken);
        }
    }
}
