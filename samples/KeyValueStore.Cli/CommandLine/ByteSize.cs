using System.Globalization;

namespace StorageCache.KeyValueStore.Cli.CommandLine;

/// <summary>Sizes on the command line: a number of bytes, or of KiB, MiB, GiB or TiB with the suffix K, M, G or T.</summary>
internal static class ByteSize
{
    private const string Suffixes = "KMGT";

    public static bool TryParse(string text, out long bytes)
    {
        bytes = 0;
        if (text.Length == 0)
        {
            return false;
        }

        int shift = 10 * (Suffixes.IndexOf(char.ToUpperInvariant(text[^1])) + 1);
        string digits = shift == 0 ? text : text[..^1];
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long count) || count > long.MaxValue >> shift)
        {
            return false;
        }

        bytes = count << shift;
        return true;
    }

    /// <summary>A size as it can be given: with the largest suffix of which it is a multiple.</summary>
    public static string Format(long bytes)
    {
        int power = 0;
        while (power < Suffixes.Length && bytes > 0 && bytes % 1024 == 0)
        {
            bytes /= 1024;
            power++;
        }

        string digits = bytes.ToString(CultureInfo.InvariantCulture);
        return power == 0 ? digits : digits + Suffixes[power - 1];
    }
}
