using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.IO.Hashing;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using Xunit;

namespace StorageCache.KeyValueStore.Tests;

/// <summary>Files damaged at random, also by somebody who makes the checksums right again: every operation gives what was put, or says that the store is corrupt.</summary>
public class DamageTests
{
    private const int PageSize = 4096;
    private const int Keys = 260;

    /// <summary>Other random choices than the usual ones.</summary>
    private static readonly int s_seed = int.TryParse(
        Environment.GetEnvironmentVariable("STORAGECACHE_STRESS_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out int seed) ? seed : 0;

    /// <summary>What all keys begin with: long keys make a tree of many levels.</summary>
    private string _padding = "";

    [Theory]
    [InlineData(1, 60, 0)]
    [InlineData(2, 60, 900)]
    public async Task Damage_of_any_kind_gives_right_values_or_a_documented_exception(int seed, int rounds, int keyPadding)
    {
        using TemporaryDirectory directory = new();
        _padding = new string('k', keyPadding);
        byte[] good = await CreateAsync(directory.File("good.kv"));
        string path = directory.File();
        Random random = new(seed + s_seed);
        for (int round = 0; round < rounds; round++)
        {
            byte[] bad = [.. good];
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                Damage(ref bad, random);
            }

            await File.WriteAllBytesAsync(path, bad, TestContext.Current.CancellationToken);
            await RunAsync(path, isForged: false, random);
        }
    }

    [Theory]
    [InlineData(3, 120, 0)]
    [InlineData(4, 120, 900)]
    public async Task Forged_pages_with_right_checksums_give_nothing_but_documented_exceptions(int seed, int rounds, int keyPadding)
    {
        using TemporaryDirectory directory = new();
        _padding = new string('k', keyPadding);
        byte[] good = await CreateAsync(directory.File("good.kv"));
        string path = directory.File();
        Random random = new(seed + s_seed);
        for (int round = 0; round < rounds; round++)
        {
            byte[] bad = [.. good];
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                Forge(bad, random);
            }

            await File.WriteAllBytesAsync(path, bad, TestContext.Current.CancellationToken);
            await RunAsync(path, isForged: true, random);
        }
    }

    private byte[] Key(int i) => TestData.Bytes($"{_padding}{i:d8}");

    private static int LengthOf(int i) => i % 40 == 39 ? 9000 + i : i % 7 * 40;

    private async Task<byte[]> CreateAsync(string path)
    {
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { CacheSize = 2 << 20 }))
        {
            for (int i = 0; i < Keys + 60; i++)
            {
                await store.PutAsync(Key(i), TestData.Value(i, LengthOf(i)));
            }

            for (int i = Keys; i < Keys + 60; i++)
            {
                await store.DeleteAsync(Key(i));
            }
        }

        return await File.ReadAllBytesAsync(path);
    }

    private static void Damage(ref byte[] file, Random random)
    {
        int at = random.Next(file.Length);
        switch (random.Next(6))
        {
            case 0:
                file[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                random.NextBytes(file.AsSpan(at, Math.Min(random.Next(1, 9000), file.Length - at)));
                break;
            case 2:
                file.AsSpan(at, Math.Min(random.Next(1, 9000), file.Length - at)).Clear();
                break;
            case 3 when file.Length >= PageSize:
                // A page at another one's place.
                file.AsSpan(random.Next(file.Length / PageSize) * PageSize, PageSize).CopyTo(file.AsSpan(random.Next(file.Length / PageSize) * PageSize));
                break;
            case 4:
                Array.Resize(ref file, Math.Max(at, 1));
                break;
            default:
                Array.Resize(ref file, file.Length + random.Next(1, 3 * PageSize));
                break;
        }
    }

    private static void Forge(byte[] file, Random random)
    {
        long number = random.Next(file.Length / PageSize);
        Span<byte> page = file.AsSpan((int)number * PageSize, PageSize);
        if (number == 0)
        {
            // Any field but magic, version and page size; 64-bit fields mostly.
            int offset = 16 + (4 * random.Next(26));
            WriteSomething(page[offset..], random);
            BinaryPrimitives.WriteUInt64LittleEndian(page[120..], XxHash3.HashToUInt64(page[..120]));
            return;
        }

        int cells = Math.Clamp((int)BinaryPrimitives.ReadUInt16LittleEndian(page[18..]), 1, 1000);
        switch (random.Next(6))
        {
            case 0:
                WriteSomething(page[(8 + random.Next(PageHeader.Size - 8))..], random);
                break;
            case 1:
                // A slot: where a cell is.
                WriteSomething(page[(PageHeader.Size + (2 * random.Next(cells)))..], random);
                break;
            case 2:
                // A cell: the lengths and the payload's numbers.
                int cell = BinaryPrimitives.ReadUInt16LittleEndian(page[(PageHeader.Size + (2 * random.Next(cells)))..]);
                WriteSomething(page[Math.Clamp(cell + random.Next(60), 0, PageSize - 8)..], random);
                break;
            case 3:
                // Two slots lead to one cell.
                page.Slice(PageHeader.Size + (2 * random.Next(cells)), 2).CopyTo(page[(PageHeader.Size + (2 * random.Next(cells)))..]);
                break;
            case 4:
                random.NextBytes(page[random.Next(8, PageSize)..]);
                break;
            default:
                file.AsSpan(random.Next(1, file.Length / PageSize) * PageSize, PageSize).CopyTo(page);
                break;
        }

        PageChecksum.Write(page, number);
    }

    private static void WriteSomething(Span<byte> place, Random random)
    {
        long[] numbers = [0, 1, 2, 3, -1, 7, 40, 4095, 4096, 65535, int.MaxValue, int.MinValue, long.MaxValue, 1L << 52, (1L << 52) + 60, random.Next(100), random.NextInt64()];
        long number = numbers[random.Next(numbers.Length)];
        switch (random.Next(4))
        {
            case 0:
                place[0] = (byte)number;
                break;
            case 1:
                BinaryPrimitives.WriteUInt16LittleEndian(place, (ushort)number);
                break;
            case 2:
                BinaryPrimitives.WriteInt32LittleEndian(place, (int)number);
                break;
            default:
                BinaryPrimitives.WriteInt64LittleEndian(place, number);
                break;
        }
    }

    private async Task RunAsync(string path, bool isForged, Random random)
    {
        bool isSound;
        try
        {
            await using KeyValueStore store = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { ReadOnly = true, CacheSize = 2 << 20 });
            await ReadAsync(store, isForged);
            isSound = (await store.CheckAsync()).IsSound;
        }
        catch (KeyValueStoreException)
        {
            return;
        }

        try
        {
            await using KeyValueStore store = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { CacheSize = 2 << 20 });
            await ChangeAsync(store, random);
            Assert.True(!isSound || isForged || (await store.CheckAsync()).IsSound);
        }
        catch (KeyValueStoreException)
        {
            Assert.False(isSound);
        }
    }

    private async Task ReadAsync(KeyValueStore store, bool isForged)
    {
        ArrayBufferWriter<byte> buffer = new();
        for (int i = 0; i < Keys; i++)
        {
            byte[] key = Key(i);
            await ExpectAsync(isForged, i, async () => await store.GetAsync(key));
            await ExpectAsync(isForged, i, async () =>
            {
                using MemoryStream stream = new();
                return await store.CopyToAsync(key, stream) is null ? null : stream.ToArray();
            });
            await ExpectAsync(isForged, i, () =>
            {
                buffer.ResetWrittenCount();
                return Task.FromResult(store.TryGet(key, buffer) ? buffer.WrittenSpan.ToArray() : null);
            });
        }

        foreach (bool reverse in new[] { false, true })
        {
            try
            {
                byte[]? previous = null;
                await foreach (KeyValueEntry entry in store.ScanAsync(new ScanOptions { Reverse = reverse }))
                {
                    byte[] key = entry.Key.ToArray();
                    Assert.True(isForged || previous is null || previous.AsSpan().SequenceCompareTo(key) < 0 != reverse);
                    previous = key;
                }
            }
            catch (CorruptStoreException)
            {
            }
        }
    }

    private async Task ChangeAsync(KeyValueStore store, Random random)
    {
        for (int i = 0; i < 300; i++)
        {
            byte[] key = Key(random.Next(Keys + 60));
            try
            {
                if (random.Next(3) == 0)
                {
                    await store.DeleteAsync(key);
                }
                else
                {
                    await store.PutAsync(key, TestData.Value(i, random.Next(8) == 0 ? random.Next(20_000) : random.Next(600)));
                }
            }
            catch (CorruptStoreException)
            {
            }
        }
    }

    /// <summary>Asserts that a read gives the value that was put, or says that the store is corrupt. Whoever forges checksums may forge values.</summary>
    private static async Task ExpectAsync(bool isForged, int key, Func<Task<byte[]?>> read)
    {
        try
        {
            byte[]? value = await read();
            Assert.True(isForged || TestData.Value(key, LengthOf(key)).AsSpan().SequenceEqual(value), $"key {key} has a wrong value");
        }
        catch (CorruptStoreException)
        {
        }
    }
}
