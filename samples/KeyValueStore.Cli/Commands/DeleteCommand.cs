using System.CommandLine;

namespace StorageCache.KeyValueStore.Cli.Commands;

internal static class DeleteCommand
{
    public static Command Create()
    {
        Command command = new("delete", "Remove a key and its value. Exit code 1 when the key is not there.");
        Argument<string> key = new("KEY") { Description = "The key." };
        command.Add(key);
        StoreOptions options = new(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, options, parsed.GetRequiredValue(key), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, StoreOptions options, string key, CancellationToken cancellationToken)
    {
        await using KeyValueStore store = await options.OpenAsync(parsed, MappingMode.Open, readOnly: false, cancellationToken);
        return await store.DeleteAsync(TextKey.ToBytes(key), cancellationToken)
            ? ExitCode.Success
            : ErrorReporting.Report($"'{key}' is not in the store", ExitCode.Negative);
    }
}
