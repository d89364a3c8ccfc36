using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace StorageCache.KeyValueStore.Cli;

/// <summary>Sizes on the command line: a number of bytes, or of KiB, MiB or GiB with the suffix K, M or G.</summary>
internal static class ByteSize
{
    /// <summary>An option that takes a size within bounds; 0, or the default, when it is not given.</summary>
    public static Option<long> Option(string name, string description, long minimum, long maximum, long defaultValue) => new(name)
    {
        Description = description,
        HelpName = "SIZE",
        DefaultValueFactory = _ => defaultValue,
        CustomParser = result => Parse(name, result, minimum, maximum),
    };

    public static bool TryParse(string text, out long bytes)
    {
        bytes = 0;
        if (text.Length == 0)
        {
            return false;
        }

        int shift = char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, _ => 0 };
        string digits = shift == 0 ? text : text[..^1];
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long count) || count > long.MaxValue >> shift)
        {
            return false;
        }

        bytes = count << shift;
        return true;
    }

    private static long Parse(string name, ArgumentResult result, long minimum, long maximum)
    {
        string text = result.Tokens[0].Value;
        if (TryParse(text, out long bytes) && bytes >= minimum && bytes <= maximum)
        {
            return bytes;
        }

        result.AddError($"'{text}' is no size for {name}: it takes {minimum} to {maximum} bytes, for example 65536 or 64K or 64M.");
        return 0;
    }
}
