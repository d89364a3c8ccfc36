using System.Globalization;
using System.Text;

namespace StorageCache.KeyValueStore.Cli.CommandLine;

/// <summary>
/// Keys and values as lines of text: what is UTF-8 as it is, all else with every byte that is not printable ASCII, and the backslash, as \xNN. No two
/// keys look the same.
/// </summary>
internal static class TextKey
{
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

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
