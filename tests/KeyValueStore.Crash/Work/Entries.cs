using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace StorageCache.KeyValueStore.Crash.Work;

/// <summary>Keys that say their number, and values that say which they are, and are wrong if a bit of them is.</summary>
internal static class Entries
{
    private const int HeaderSize = 16;

    /// <summary>The key with a number: mostly short ones, some of the longest.</summary>
    public static byte[] Key(int number)
    {
        int length = number % 37 == 0 ? KeyValueStore.MaximumKeyLength - (number % 5) : 4 + (number % 61);
        byte[] key = new byte[length];
        BinaryPrimitives.WriteInt32BigEndian(key, number);
        key.AsSpan(4).Fill((byte)number);
        return key;
    }

    /// <summary>The number of a key; null if it is nobody's.</summary>
    public static int? NumberOf(ReadOnlySpan<byte> key) =>
        key.Length >= 4 && BinaryPrimitives.ReadInt32BigEndian(key) is >= 0 and int number && key.SequenceEqual(Key(number)) ? number : null;

    /// <summary>How long the value of a version is: most in their leaf, some on a page or few, some on many.</summary>
    public static int LengthOf(long version)
    {
        ulong draw = Mix((ulong)version);
        int fine = (int)(draw >> 40);
        return (draw % 100) switch
        {
            < 70 => HeaderSize + (fine % 200),
            < 90 => HeaderSize + (fine % 4000),
            < 98 => HeaderSize + (fine % 40_000),
            _ => HeaderSize + (fine % 300_000),
        };
    }

    /// <summary>The value of a version for a key.</summary>
    public static byte[] Value(int key, long version)
    {
        byte[] value = new byte[LengthOf(version)];
        BinaryPrimitives.WriteInt64LittleEndian(value, version);
        BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(8), key);
        BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(12), value.Length);
        Span<byte> rest = value.AsSpan(HeaderSize);
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(rest);
        ulong seed = (ulong)version;
        for (int i = 0; i < words.Length; i++)
        {
            words[i] = Mix(seed + (ulong)i);
        }

        rest[(words.Length * sizeof(ulong))..].Fill((byte)version);
        return value;
    }

    /// <summary>The version of a value of a key; null if it is the value of none.</summary>
    public static long? VersionOf(int key, ReadOnlySpan<byte> value)
    {
        if (value.Length < HeaderSize)
        {
            return null;
        }

        long version = BinaryPrimitives.ReadInt64LittleEndian(value);
        return value.Length == LengthOf(version) && value.SequenceEqual(Value(key, version)) ? version : null;
    }

    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
