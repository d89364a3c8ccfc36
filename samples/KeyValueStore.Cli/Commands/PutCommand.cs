using System.CommandLine;

namespace StorageCache.KeyValueStore.Cli.Commands;

internal static class PutCommand
{
    public static Command Create()
    {
        Command command = new("put", "Put a key with a value from the command line, a file or stdin; an older value is replaced. The store is created if need be.");
        Argument<string> key = new("KEY") { Description = "The key." };
        Argument<string?> value = new("VALUE") { Description = "The value; without it and without --file it is read from stdin.", Arity = ArgumentArity.ZeroOrOne };
        Option<string?> file = new("--file") { Description = "Take the value from this file.", HelpName = "FILE" };
        command.Add(key);
        command.Add(value);
        command.Add(file);
        StoreOptions options = new(command);
        command.Validators.Add(result =>
        {
            if (result.GetValue(value) is not null && result.GetValue(file) is not null)
            {
                result.AddError("A value is given twice: as VALUE and with --file.");
            }
        });
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed, options, parsed.GetRequiredValue(key), parsed.GetValue(value), parsed.GetValue(file), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(
        ParseResult parsed, StoreOptions options, string key, string? value, string? file, CancellationToken cancellationToken)
    {
        // The source is opened first, so that a missing file leaves no new store behind.
        await using Stream source = value is not null ? new MemoryStream(TextKey.ToBytes(value))
            : file is not null ? SourceFile.Open(file)
            : new StandardInput();
        await using KeyValueStore store = await options.OpenAsync(parsed, MappingMode.OpenOrCreate, readOnly: false, cancellationToken);
        await store.PutAsync(TextKey.ToBytes(key), source, cancellationToken);
        return ExitCode.Success;
    }
}
