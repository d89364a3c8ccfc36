using CsCheck;
using Xunit;

namespace StorageCache.KeyValueStore.Tests;

public class ModelTests
{
    private enum Step
    {
        Put,
        Delete,
        Get,
        Flush,
        Reopen,
        Scan,
    }

    [Theory]
    [InlineData(4096, 2 << 20)]
    [InlineData(16384, 4 << 20)]
    public async Task Random_operations_agree_with_a_sorted_dictionary(int pageSize, int cacheSize)
    {
        // Few distinct keys, some very long and with long common prefixes, so that overwriting, deleting and page overflow are frequent.
        Gen<byte[]> shortKey = Gen.Byte[0, 3].Array[0, 3];
        Gen<byte[]> longKey = Gen.Select(Gen.Int[900, 1024], Gen.Int[0, 60], LongKey);
        Gen<byte[]> key = Gen.Frequency((4, shortKey), (2, Gen.Int[0, 300].Select(TestData.Key)), (3, longKey));
        Gen<int> length = Gen.Frequency((6, Gen.Int[0, 40]), (4, Gen.Int[0, 1100]), (2, Gen.Int[0, 20_000]), (1, Gen.Int[0, 200_000]));
        Gen<Step> step = Gen.Frequency(
            (50, Gen.Const(Step.Put)), (40, Gen.Const(Step.Delete)), (30, Gen.Const(Step.Get)),
            (2, Gen.Const(Step.Flush)), (1, Gen.Const(Step.Reopen)), (2, Gen.Const(Step.Scan)));
        await Gen.Select(step, key, length).Array[50, 400].SampleAsync(
            steps => RunAsync(steps, pageSize, cacheSize), iter: 12, threads: 1);
    }

    private static byte[] LongKey(int length, int number)
    {
        byte[] key = new byte[length];
        key.AsSpan().Fill((byte)'k');
        key[(number * 13) % length] = (byte)number;
        return key;
    }

    private static async Task RunAsync((Step Step, byte[] Key, int Length)[] steps, int pageSize, int cacheSize)
    {
        using TemporaryDirectory directory = new();
        KeyValueStoreOptions options = new() { PageSize = pageSize, CacheSize = cacheSize };
        KeyValueStore store = await KeyValueStore.OpenAsync(directory.File(), options);
        SortedDictionary<byte[], byte[]> model = new(KeyComparer.Instance);
        try
        {
            for (int i = 0; i < steps.Length; i++)
            {
                (Step step, byte[] key, int length) = steps[i];
                switch (step)
                {
                    case Step.Put:
                        model[key] = TestData.Value(i, length);
                        await store.PutAsync(key, model[key]);
                        break;
                    case Step.Delete:
                        byte[] victim = model.Count > 0 && i % 3 != 0 ? model.Keys.ElementAt(i % model.Count) : key;
                        Assert.Equal(model.Remove(victim), await store.DeleteAsync(victim));
                        break;
                    case Step.Get:
                        Assert.Equal(model.GetValueOrDefault(key), await store.GetAsync(key));
                        break;
                    case Step.Flush:
                        await store.FlushAsync();
                        break;
                    case Step.Reopen:
                        await store.CloseAsync();
                        store = await KeyValueStore.OpenAsync(directory.File(), options);
                        await store.AssertSoundAsync();
                        break;
                    case Step.Scan:
                        await AssertSameAsync(store, model, reverse: i % 2 == 0);
                        break;
                }

                Assert.Equal(model.Count, store.Count);
            }

            await AssertSameAsync(store, model, reverse: false);
            await store.AssertSoundAsync();
        }
        finally
        {
            await store.CloseAsync();
        }
    }

    private static async Task AssertSameAsync(KeyValueStore store, SortedDictionary<byte[], byte[]> model, bool reverse)
    {
        List<KeyValueEntry> entries = await store.ScanAsync(new ScanOptions { Reverse = reverse }).ToListAsync();
        KeyValuePair<byte[], byte[]>[] expected = [.. reverse ? model.Reverse() : model];
        Assert.Equal(expected.Length, entries.Count);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i].Key, entries[i].Key.ToArray());
            Assert.True(expected[i].Value.AsSpan().SequenceEqual(entries[i].Value.Span));
        }
    }
}
