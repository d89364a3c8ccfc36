using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace StorageCache.KeyValueStore.Tests;

/// <summary>Keys and values that say what they are.</summary>
internal static class TestData
{
    public static byte[] Key(int number) => Encoding.ASCII.GetBytes($"key-{number:d8}");

    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>Bytes that only this seed and length give.</summary>
    public static byte[] Value(int seed, int length)
    {
        byte[] value = new byte[length];
        new Random(seed).NextBytes(value);
        return value;
    }

    /// <summary>Zeros, and then bytes that are none.</summary>
    public static byte[] BeginningWithZeros(int zeros, int length)
    {
        byte[] bytes = new byte[length];
        bytes.AsSpan(zeros).Fill(0x5A);
        return bytes;
    }

    /// <summary>A value that names its key and its own hash; at least 16 bytes.</summary>
    public static byte[] SelfDescribing(int key, int seed, int length)
    {
        byte[] value = Value(seed, length);
        BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(8), key);
        BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(12), length);
        BinaryPrimitives.WriteUInt64LittleEndian(value, XxHash3.HashToUInt64(value.AsSpan(8)));
        return value;
    }

    public static bool Describes(ReadOnlySpan<byte> value, int key) =>
        value.Length >= 16
        && BinaryPrimitives.ReadInt32LittleEndian(value[8..]) == key
        && BinaryPrimitives.ReadInt32LittleEndian(value[12..]) == value.Length
        && BinaryPrimitives.ReadUInt64LittleEndian(value) == XxHash3.HashToUInt64(value[8..]);

    public static async Task<List<KeyValueEntry>> ToListAsync(this IAsyncEnumerable<KeyValueEntry> entries)
    {
        List<KeyValueEntry> list = [];
        await foreach (KeyValueEntry entry in entries)
        {
            list.Add(entry);
        }

        return list;
    }

    public static async Task AssertSoundAsync(this KeyValueStore store)
    {
        CheckReport report = await store.CheckAsync();
        Xunit.Assert.True(report.IsSound, string.Join(Environment.NewLine, report.Problems));
        Xunit.Assert.Equal(store.Count, report.Entries);
    }
}
