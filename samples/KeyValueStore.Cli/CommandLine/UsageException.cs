namespace StorageCache.KeyValueStore.Cli.CommandLine;

/// <summary>The command line is wrong. Every such message has the same form: what is wrong, and what is allowed.</summary>
/// <param name="problem">Which option or argument, and what it is, such as "--cache is '5X'".</param>
/// <param name="allowed">What it may be.</param>
internal sealed class UsageException(string problem, string allowed) : Exception(Describe(problem, allowed))
{
    private const int LongestQuotation = 80;

    public static string Describe(string problem, string allowed) => $"{problem}; allowed: {allowed}.";

    /// <summary>Something from the command line as part of a message: printable, and not too long for a line.</summary>
    public static string Quote(string value)
    {
        string text = TextKey.ToText(ByteText.ToBytes(value));
        return text.Length <= LongestQuotation ? $"'{text}'" : $"'{text.AsSpan(0, LongestQuotation)}...'";
    }
}
