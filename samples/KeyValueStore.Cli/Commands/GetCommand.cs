using System.CommandLine;

namespace StorageCache.KeyValueStore.Cli.Commands;

internal static class GetCommand
{
    public static Command Create()
    {
        Command command = new("get", "Write a key's value to stdout or a file. Exit code 1 when the key is not there.");
        Argument<string> key = new("KEY") { Description = "The key." };
        Option<string?> output = new("--output") { Description = "Write the value to this file.", HelpName = "FILE" };
        command.Add(key);
        command.Add(output);
        StoreOptions options = new(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed, options, parsed.GetRequiredValue(key), parsed.GetValue(output), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, StoreOptions options, string key, string? output, CancellationToken cancellationToken)
    {
        await using KeyValueStore store = await options.OpenAsync(parsed, MappingMode.Open, readOnly: true, cancellationToken);
        byte[] bytes = TextKey.ToBytes(key);
        if (await store.GetLengthAsync(bytes, cancellationToken) is null)
        {
            return ErrorReporting.Report($"'{key}' is not in the store", ExitCode.Negative);
        }

        // FileShare.None locks the file before it is cut: so the output cannot be the store itself, whatever it is called.
        await using Stream destination = output is not null ? new FileStream(output, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0) : Console.OpenStandardOutput();
        await store.CopyToAsync(bytes, destination, cancellationToken);
        return ExitCode.Success;
    }
}
