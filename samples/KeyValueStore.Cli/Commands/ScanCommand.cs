using System.CommandLine;
using System.Globalization;
using StorageCache.KeyValueStore.Cli.CommandLine;

namespace StorageCache.KeyValueStore.Cli.Commands;

internal static class ScanCommand
{
    /// <summary>Longer values are not printed, only their length.</summary>
    private const int LongestPrintedValue = 256;

    public static Command Create()
    {
        Command command = new(
            "scan",
            "Print entries in the order of their keys, one a line: the key, a tab, and the value, or <N bytes> for a value of more than 256 bytes. "
            + "A key or value that is no UTF-8, or has a control character or a backslash, is printed with every byte that is not printable ASCII, and the "
            + "backslash, as \\xNN. With --hex keys are printed as 'get --hex' takes them.");
        Option<string?> from = KeyOptions.CreateBound("--from", "Begin at this key (inclusive).");
        Option<string?> to = KeyOptions.CreateBound("--to", "Stop before this key (exclusive).");
        Flag reverse = new("--reverse", "Print the greatest key first.");
        Flag keysOnly = new("--keys-only", "Print keys only.");
        Option<long?> limit = new LimitedOption<long?>("--limit", "a number of entries, 0 or more", TryReadLimit)
        {
            Description = "Print at most so many entries.",
            HelpName = "N",
        };
        command.Add(from);
        command.Add(to);
        command.Add(reverse);
        command.Add(keysOnly);
        command.Add(limit);
        KeyOptions keys = new(command);
        StoreOptions options = new(command);
        command.SetAction((parsed, cancellationToken) =>
        {
            byte[]? least = keys.Read(parsed, from);
            byte[]? end = keys.Read(parsed, to);
            if (least.AsSpan().SequenceCompareTo(end) > 0 && end is not null)
            {
                throw new UsageException(
                    $"{from.Name} is '{keys.Write(parsed, least)}' and {to.Name} is '{keys.Write(parsed, end)}'", $"{from.Name} not greater than {to.Name}, as bytes");
            }

            ScanOptions range = new()
            {
                From = least,
                To = end,
                Reverse = parsed.GetValue(reverse),
                KeysOnly = true,

                // The store takes an empty bound for none; here it was given, and nothing comes before the empty key.
                Limit = end is { Length: 0 } ? 0 : parsed.GetValue(limit),
            };
            return RunAsync(parsed, options, keys, range, parsed.GetValue(keysOnly), cancellationToken);
        });
        return command;
    }

    private static bool TryReadLimit(string text, out long? limit)
    {
        bool isNumber = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long entries);
        limit = isNumber ? entries : null;
        return isNumber;
    }

    private static async Task<int> RunAsync(
        ParseResult parsed, StoreOptions options, KeyOptions keys, ScanOptions range, bool keysOnly, CancellationToken cancellationToken)
    {
        await using KeyValueStore store = await options.OpenAsync(parsed, MappingMode.Open, readOnly: true, cancellationToken);
        await using StreamWriter output = new(Console.OpenStandardOutput(), bufferSize: 16 * 1024);
        await foreach (KeyValueEntry entry in store.ScanAsync(range, cancellationToken))
        {
            await output.WriteAsync(keys.Write(parsed, entry.Key.Span));
            if (!keysOnly)
            {
                string value = entry.ValueLength > LongestPrintedValue
                    ? $"<{entry.ValueLength} bytes>"
                    : TextKey.ToText(await store.GetAsync(entry.Key, cancellationToken));
                await output.WriteAsync($"\t{value}");
            }

            await output.WriteAsync('\n');
        }

        return ExitCode.Success;
    }
}
