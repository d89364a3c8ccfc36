using System.CommandLine;
using StorageCache.KeyValueStore.Cli.CommandLine;
using StorageCache.KeyValueStore.Cli.Files;

namespace StorageCache.KeyValueStore.Cli.Commands;

internal static class PutCommand
{
    public static Command Create()
    {
        Command command = new("put", "Put a key with a value from the command line, a file or stdin; an older value is replaced. The store is created if need be.");
        Argument<string> key = KeyOptions.CreateArgument();
        Argument<string?> value = new("VALUE") { Description = "The value; without it and without --file it is read from stdin.", Arity = ArgumentArity.ZeroOrOne };
        Option<string?> file = new("--file") { Description = "Take the value from this file.", HelpName = "FILE" };
        command.Add(key);
        command.Add(value);
        command.Add(file);
        KeyOptions keys = new(command);
        StoreOptions options = new(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed, options, keys.Read(parsed, key), parsed.GetValue(value), parsed.GetValue(file) is { } path ? FilePath.Read(file.Name, path) : null, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(
        ParseResult parsed, StoreOptions options, byte[] key, string? value, string? file, CancellationToken cancellationToken)
    {
        if (value is not null && file is not null)
        {
            throw new UsageException("the value is given twice, as VALUE and with --file", "one of them");
        }

        // The source is opened first, so that a missing file leaves no new store behind.
        await using Stream source = value is not null ? new MemoryStream(ByteText.ToBytes(value))
            : file is not null ? await SourceFile.OpenAsync(file, cancellationToken)
            : new PatientSource(Console.OpenStandardInput());
        await using KeyValueStore store = await options.OpenAsync(parsed, MappingMode.OpenOrCreate, readOnly: false, cancellationToken);
        try
        {
            await store.PutAsync(key, source, cancellationToken);
        }
        catch (ArgumentException exception) when (exception.ParamName == "value")
        {
            throw new UsageException(
                $"the value from {(file is null ? "stdin" : UsageException.Quote(file))} is too long", $"0 to {KeyValueStore.MaximumValueLength} bytes");
        }

        return ExitCode.Success;
    }
}
