using Xunit;

namespace StorageCache.KeyValueStore.Tests;

public class ScanTests
{
    [Fact]
    public async Task Both_ways_with_every_kind_of_bound_agree_with_a_sorted_list()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());
        SortedDictionary<byte[], byte[]> model = new(KeyComparer.Instance);
        Random random = new(7);
        for (int i = 0; i < 3000; i++)
        {
            byte[] key = new byte[random.Next(0, 20)];
            random.NextBytes(key);
            byte[] value = TestData.Value(i, i % 97 == 0 ? 5000 : random.Next(60));
            model[key] = value;
            await store.PutAsync(key, value);
        }

        byte[][] keys = [.. model.Keys];
        for (int round = 0; round < 60; round++)
        {
            byte[]? from = Bound(random, keys);
            byte[]? to = Bound(random, keys);
            if (from is not null && to is not null && from.AsSpan().SequenceCompareTo(to) > 0)
            {
                (from, to) = (to, from);
            }

            bool reverse = round % 2 == 1;
            long? limit = random.Next(3) == 0 ? random.Next(200) : null;
            IEnumerable<byte[]> expected = keys.Where(key =>
                (from is null || key.AsSpan().SequenceCompareTo(from) >= 0) && (to is null || key.AsSpan().SequenceCompareTo(to) < 0));
            expected = reverse ? expected.Reverse() : expected;
            expected = limit is { } most ? expected.Take((int)most) : expected;

            List<KeyValueEntry> entries = await store.ScanAsync(new ScanOptions
            {
                From = from,
                To = to,
                Reverse = reverse,
                Limit = limit,
                KeysOnly = round % 5 == 0,
            }).ToListAsync();

            Assert.Equal(expected, entries.Select(entry => entry.Key.ToArray()));
            foreach (KeyValueEntry entry in entries)
            {
                byte[] value = model[entry.Key.ToArray()];
                Assert.Equal(value.Length, entry.ValueLength);
                Assert.Equal(round % 5 == 0 ? [] : value, entry.Value.ToArray());
            }
        }
    }

    [Fact]
    public async Task A_scan_left_half_way_and_taken_up_after_changes_goes_on_in_order()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());
        for (int i = 0; i < 4000; i += 2)
        {
            await store.PutAsync(TestData.Key(i), TestData.Value(i, 50));
        }

        List<byte[]> seen = [];
        await foreach (KeyValueEntry entry in store.ScanAsync())
        {
            seen.Add(entry.Key.ToArray());
            if (seen.Count == 500)
            {
                // Everything behind and before the scan is rebuilt: pages split, merge and are reused.
                for (int i = 1; i < 4000; i += 2)
                {
                    await store.PutAsync(TestData.Key(i), TestData.Value(i, 300));
                }

                for (int i = 0; i < 4000; i++)
                {
                    if (i % 10 != 0)
                    {
                        await store.DeleteAsync(TestData.Key(i));
                    }
                }
            }
        }

        Assert.Equal(seen.Order(KeyComparer.Instance), seen);
        Assert.Equal(seen.Count, seen.Distinct(EqualityComparer<byte[]>.Create((x, y) => x.AsSpan().SequenceEqual(y), x => x.Length)).Count());
        foreach (int i in Enumerable.Range(0, 400).Select(i => i * 10))
        {
            Assert.Contains(seen, key => key.AsSpan().SequenceEqual(TestData.Key(i)));
        }

        await store.AssertSoundAsync();
    }

    private static byte[]? Bound(Random random, byte[][] keys)
    {
        switch (random.Next(4))
        {
            case 0:
                return null;
            case 1:
                return keys[random.Next(1, keys.Length)];
            default:
                byte[] key = new byte[random.Next(1, 4)];
                random.NextBytes(key);
                return key;
        }
    }
}
