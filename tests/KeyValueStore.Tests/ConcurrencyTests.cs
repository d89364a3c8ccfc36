using Xunit;

namespace StorageCache.KeyValueStore.Tests;

public class ConcurrencyTests
{
    private const int Keys = 1500;

    /// <remarks>KV-5, KV-7.</remarks>
    [Theory]
    [InlineData(4096, 2 << 20)]
    [InlineData(8192, 32 << 20)]
    public async Task Readers_beside_writers_see_whole_values_of_the_right_keys_under_eviction(int pageSize, int cacheSize)
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(
            directory.File(), new KeyValueStoreOptions { PageSize = pageSize, CacheSize = cacheSize });
        for (int round = 0; round < 3; round++)
        {
            int seed = round * 100;
            using CancellationTokenSource stop = new(TimeSpan.FromSeconds(1.2));
            List<Task> tasks = [];
            for (int i = 0; i < 2; i++)
            {
                int writer = i;
                tasks.Add(Task.Run(() => WriteAsync(store, seed + writer, stop.Token)));
            }

            for (int i = 0; i < 3; i++)
            {
                int reader = i;
                tasks.Add(Task.Run(() => ReadAsync(store, seed + 10 + reader, stop.Token)));
            }

            tasks.Add(Task.Run(() => ScanAsync(store, reverse: false, stop.Token)));
            tasks.Add(Task.Run(() => ScanAsync(store, reverse: true, stop.Token)));
            await Task.WhenAll(tasks);
            await store.AssertSoundAsync();
            await store.FlushAsync();
        }
    }

    /// <remarks>KV-12.</remarks>
    [Fact]
    public async Task Readers_do_not_wait_for_a_writer_whose_source_is_slow()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());
        await store.PutAsync(TestData.Key(1), TestData.Value(1, 20_000));
        using StalledStream source = new();
        Task writer = store.PutAsync(TestData.Key(2), source).AsTask();
        await source.Reached;

        Assert.Equal(TestData.Value(1, 20_000), await store.GetAsync(TestData.Key(1)).AsTask().WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.Single(await store.ScanAsync().ToListAsync().WaitAsync(TimeSpan.FromSeconds(10)));
        Task other = store.PutAsync(TestData.Key(3), TestData.Value(3, 10)).AsTask();
        Assert.False(other.IsCompleted);

        source.Release();
        await writer;
        await other;
        Assert.Equal(3, store.Count);
        await store.AssertSoundAsync();
    }

    [Fact]
    public async Task A_cancelled_wait_for_the_writer_lock_changes_nothing()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());
        using StalledStream source = new();
        Task writer = store.PutAsync(TestData.Key(2), source).AsTask();
        await source.Reached;
        using CancellationTokenSource cancel = new();
        Task other = store.PutAsync(TestData.Key(3), TestData.Value(3, 10), cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => other);
        source.Release();
        await writer;
        Assert.Null(await store.GetAsync(TestData.Key(3)));
        await store.AssertSoundAsync();
    }

    /// <remarks>KV-15.</remarks>
    [Fact]
    public async Task A_change_cancelled_at_any_moment_has_happened_wholly_or_not_at_all()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File(), new KeyValueStoreOptions { CacheSize = 2 << 20 });
        byte[]?[] model = new byte[400][];
        Random random = new(23);
        int cancelled = 0;
        for (int i = 0; i < 4000; i++)
        {
            int key = random.Next(model.Length);
            byte[]? value = random.Next(4) == 0 ? null : TestData.Value(i, random.Next(10) == 0 ? random.Next(100_000) : random.Next(900));
            using CountdownStream source = new(value ?? [], random.Next(4));
            try
            {
                if (value is null)
                {
                    using CancellationTokenSource gone = new();
                    if (random.Next(2) == 0)
                    {
                        gone.CancelAfter(TimeSpan.FromMicroseconds(random.Next(200)));
                    }

                    await store.DeleteAsync(TestData.Key(key), gone.Token);
                }
                else
                {
                    await store.PutAsync(TestData.Key(key), source, source.Token);
                }

                model[key] = value;
            }
            catch (OperationCanceledException)
            {
                cancelled++;
            }

            Assert.Equal(model[key], await store.GetAsync(TestData.Key(key)));
            if (i % 500 == 0)
            {
                await store.AssertSoundAsync();
            }
        }

        Assert.NotEqual(0, cancelled);
        Assert.Equal(model.Count(value => value is not null), store.Count);
        await store.AssertSoundAsync();
    }

    private static async Task WriteAsync(KeyValueStore store, int seed, CancellationToken stop)
    {
        Random random = new(seed);
        while (!stop.IsCancellationRequested)
        {
            int key = random.Next(Keys);
            if (random.Next(5) < 2)
            {
                await store.DeleteAsync(TestData.Key(key));
            }
            else
            {
                int length = random.Next(20) switch { 0 => random.Next(16, 60_000), < 4 => random.Next(16, 5000), _ => random.Next(16, 400) };
                await store.PutAsync(TestData.Key(key), TestData.SelfDescribing(key, random.Next(), length));
            }
        }
    }

    private static async Task ReadAsync(KeyValueStore store, int seed, CancellationToken stop)
    {
        Random random = new(seed);
        while (!stop.IsCancellationRequested)
        {
            int key = random.Next(Keys);
            byte[]? value = await store.GetAsync(TestData.Key(key));
            Assert.True(value is null || TestData.Describes(value, key), $"key {key} has another key's value, or a torn one");
        }
    }

    private static async Task ScanAsync(KeyValueStore store, bool reverse, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            byte[]? previous = null;
            await foreach (KeyValueEntry entry in store.ScanAsync(new ScanOptions { Reverse = reverse }))
            {
                byte[] key = entry.Key.ToArray();
                if (previous is not null)
                {
                    Assert.Equal(reverse ? 1 : -1, Math.Sign(previous.AsSpan().SequenceCompareTo(key)));
                }

                int number = int.Parse(System.Text.Encoding.ASCII.GetString(key)["key-".Length..], System.Globalization.CultureInfo.InvariantCulture);
                Assert.True(TestData.Describes(entry.Value.Span, number));
                previous = key;
            }
        }
    }

    /// <summary>Cancels its own token when it has been read so many times.</summary>
    private sealed class CountdownStream(byte[] content, int reads) : MemoryStream(content)
    {
        private readonly CancellationTokenSource _source = new();
        private int _remaining = reads;

        public CancellationToken Token => _source.Token;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (--_remaining == 0)
            {
                _source.Cancel();
            }

            return new ValueTask<int>(Read(buffer.Span));
        }

        protected override void Dispose(bool disposing)
        {
            _source.Dispose();
            base.Dispose(disposing);
        }
    }
}
