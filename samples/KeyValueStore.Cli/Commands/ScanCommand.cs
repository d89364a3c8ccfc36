using System.CommandLine;

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
            + "Bytes that are no printable text are printed as \\xNN.");
        Option<string?> from = new("--from") { Description = "Begin at this key (inclusive).", HelpName = "KEY" };
        Option<string?> to = new("--to") { Description = "Stop before this key (exclusive).", HelpName = "KEY" };
        Option<bool> reverse = new("--reverse") { Description = "Print the greatest key first." };
        Option<bool> keysOnly = new("--keys-only") { Description = "Print keys only." };
        Option<long?> limit = new("--limit") { Description = "Print at most so many entries.", HelpName = "N" };
        limit.Validators.Add(result =>
        {
            if (!result.Errors.Any() && result.GetValue(limit) < 0)
            {
                result.AddError("--limit takes 0 or more.");
            }
        });
        command.Add(from);
        command.Add(to);
        command.Add(reverse);
        command.Add(keysOnly);
        command.Add(limit);
        StoreOptions options = new(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed,
            options,
            new ScanOptions
            {
                From = TextKey.ToBytes(parsed.GetValue(from) ?? ""),
                To = TextKey.ToBytes(parsed.GetValue(to) ?? ""),
                Reverse = parsed.GetValue(reverse),
                KeysOnly = true,
                Limit = parsed.GetValue(limit),
            },
            parsed.GetValue(keysOnly),
            cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(
        ParseResult parsed, StoreOptions options, ScanOptions range, bool keysOnly, CancellationToken cancellationToken)
    {
        await using KeyValueStore store = await options.OpenAsync(parsed, MappingMode.Open, readOnly: true, cancellationToken);
        await using StreamWriter output = new(Console.OpenStandardOutput(), bufferSize: 16 * 1024);
        await foreach (KeyValueEntry entry in store.ScanAsync(range, cancellationToken))
        {
            await output.WriteAsync(TextKey.ToText(entry.Key.Span));
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
