using System.CommandLine;

namespace StorageCache.KeyValueStore.Cli.CommandLine;

/// <summary>How a command reads and writes keys: as text, or with <c>--hex</c> as hexadecimal digits, which can say every key.</summary>
internal sealed class KeyOptions
{
    public KeyOptions(Command command) => command.Add(Hex);

    public Option<bool> Hex { get; } = new Flag("--hex", "Keys are hexadecimal digits, two a byte, both ways; values are not.");

    public static Argument<string> CreateArgument() => new("KEY") { Description = "The key, 0 to 1,024 bytes." };

    public static Option<string?> CreateBound(string name, string description) => new(name) { Description = description, HelpName = "KEY" };

    /// <summary>The key that an argument names.</summary>
    /// <exception cref="UsageException">It is no key.</exception>
    public byte[] Read(ParseResult parsed, Argument<string> argument) => Read(parsed, argument.Name, parsed.GetRequiredValue(argument));

    /// <summary>The key that an option names; null when it is not given.</summary>
    /// <exception cref="UsageException">It is no key.</exception>
    public byte[]? Read(ParseResult parsed, Option<string?> option) => parsed.GetValue(option) is { } text ? Read(parsed, option.Name, text) : null;

    /// <summary>A key as this command writes keys.</summary>
    public string Write(ParseResult parsed, ReadOnlySpan<byte> key) => parsed.GetValue(Hex) ? Convert.ToHexStringLower(key) : TextKey.ToText(key);

    private byte[] Read(ParseResult parsed, string name, string text)
    {
        byte[] key = parsed.GetValue(Hex) ? ReadHex(name, text) : ByteText.ToBytes(text);
        return key.Length <= KeyValueStore.MaximumKeyLength
            ? key
            : throw new UsageException($"{name} has {key.Length} bytes", $"0 to {KeyValueStore.MaximumKeyLength} bytes");
    }

    private static byte[] ReadHex(string name, string text)
    {
        try
        {
            return Convert.FromHexString(text);
        }
        catch (FormatException)
        {
            throw new UsageException($"{name} is {UsageException.Quote(text)}", "with --hex, hexadecimal digits, two a byte");
        }
    }
}
