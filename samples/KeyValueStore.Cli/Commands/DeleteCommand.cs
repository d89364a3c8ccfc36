using System.CommandLine;
using StorageCache.KeyValueStore.Cli.CommandLine;

namespace StorageCache.KeyValueStore.Cli.Commands;

internal static class DeleteCommand
{
    public static Command Create()
    {
        Command command = new("delete", "Remove a key and its value. Exit code 1 when the key is not there.");
        Argument<string> key = KeyOptions.CreateArgument();
        command.Add(key);
        KeyOptions keys = new(command);
        StoreOptions options = new(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, options, keys, keys.Read(parsed, key), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(
        ParseResult parsed, StoreOptions options, KeyOptions keys, byte[] key, CancellationToken cancellationToken)
    {
        await using KeyValueStore store = await options.OpenAsync(parsed, MappingMode.Open, readOnly: false, cancellationToken);
        return await store.DeleteAsync(key, cancellationToken)
            ? ExitCode.Success
            : ErrorReporting.Report($"'{keys.Write(parsed, key)}' is not in the store", ExitCode.Negative);
    }
}
