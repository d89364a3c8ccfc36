using System.Globalization;
using System.Text;

namespace StorageCache.KeyValueStore.Cli;

/// <summary>Keys and values as text: UTF-8, with whatever is no printable text written as \xNN.</summary>
internal static class TextKey
{
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static byte[] ToBytes(string text) => Encoding.UTF8.GetBytes(text);

    public static string ToText(ReadOnlySpan<byte> bytes)
    {
        string text;
        try
        {
            text = s_strict.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            return Escape(bytes);
        }

        return text.Any(character => char.IsControl(character) || character == '\\') ? Escape(bytes) : text;
    }

    private static string Escape(ReadOnlySpan<byte> bytes)
    {
        StringBuilder text = new(bytes.Length);
        foreach (byte value in bytes)
        {
            if (value is >= 0x20 and < 0x7F and not (byte)'\\')
            {
                text.Append((char)value);
            }
            else
            {
                text.Append(CultureInfo.InvariantCulture, $"\\x{value:x2}");
            }
        }

        return text.ToString();
    }
}
