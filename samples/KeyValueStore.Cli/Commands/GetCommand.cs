using System.CommandLine;
using StorageCache.KeyValueStore.Cli.CommandLine;
using StorageCache.KeyValueStore.Cli.Files;

namespace StorageCache.KeyValueStore.Cli.Commands;

internal static class GetCommand
{
    public static Command Create()
    {
        Command command = new("get", "Write a key's value to stdout or a file. Exit code 1 when the key is not there.");
        Argument<string> key = KeyOptions.CreateArgument();
        Option<string?> output = new("--output") { Description = "Write the value to this file, which is replaced once the value is complete; or to this pipe or device.", HelpName = "FILE" };
        command.Add(key);
        command.Add(output);
        KeyOptions keys = new(command);
        StoreOptions options = new(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed, options, keys, keys.Read(parsed, key), parsed.GetValue(output) is { } path ? FilePath.Read(output.Name, path) : null, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(
        ParseResult parsed, StoreOptions options, KeyOptions keys, byte[] key, string? output, CancellationToken cancellationToken)
    {
        await using KeyValueStore store = await options.OpenAsync(parsed, MappingMode.Open, readOnly: true, cancellationToken);
        if (await store.GetLengthAsync(key, cancellationToken) is null)
        {
            return ErrorReporting.Report($"'{keys.Write(parsed, key)}' is not in the store", ExitCode.Negative);
        }

        await using OutputFile destination = await OutputFile.OpenAsync(output, store.Path, cancellationToken);
        await store.CopyToAsync(key, destination.Stream, cancellationToken);
        destination.Complete();
        return ExitCode.Success;
    }
}
