using System.Buffers.Binary;
using System.Globalization;

namespace StorageCache.Simulation.Scenarios.Store;

/// <summary>Values of which no two are equal, and that say which they are.</summary>
internal static class StoreValue
{
    private const int Header = 12;

    /// <summary>Makes a value.</summary>
    /// <param name="number">Which it is.</param>
    /// <param name="length">Bytes; at least 12 will be made.</param>
    public static byte[] Make(long number, int length)
    {
        byte[] value = new byte[Math.Max(length, Header)];
        BinaryPrimitives.WriteInt64LittleEndian(value, number);
        BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(8), value.Length);
        for (int i = Header; i < value.Length; i++)
        {
            value[i] = (byte)((i * 31) + (number * 7));
        }

        return value;
    }

    /// <summary>Which value it is, if it is one.</summary>
    public static long NumberOf(ReadOnlySpan<byte> value) => BinaryPrimitives.ReadInt64LittleEndian(value);

    /// <summary>Whether it is a value that has been made, down to its last byte.</summary>
    public static bool IsWhole(ReadOnlySpan<byte> value) => value.Length >= Header && value.SequenceEqual(Make(NumberOf(value), value.Length));

    /// <summary>Says which value it is.</summary>
    public static string Describe(ReadOnlySpan<byte> value) => value.Length < Header
        ? $"{value.Length} bytes"
        : string.Create(CultureInfo.InvariantCulture, $"value {NumberOf(value)}{(IsWhole(value) ? "" : ", in pieces,")} of {value.Length} bytes");
}
