using System.CommandLine;
using StorageCache.KeyValueStore.Cli.Demo;

namespace StorageCache.KeyValueStore.Cli.Commands;

internal static class LoadCommand
{
    public static Command Create()
    {
        Command command = new(
            "load",
            "Put every file below a directory, its path from there (with /) as the key. Symbolic links are not followed. The store is created if need be. "
            + "Exit code 1 when files were left out, because they cannot be read or are too large.");
        Argument<string> directory = new("DIR") { Description = "The directory." };
        command.Add(directory);
        StoreOptions options = new(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, options, parsed.GetRequiredValue(directory), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, StoreOptions options, string directory, CancellationToken cancellationToken)
    {
        FileTree tree = FileTree.Read(directory, exclude: parsed.GetRequiredValue(options.Store));
        await using KeyValueStore store = await options.OpenAsync(parsed, MappingMode.OpenOrCreate, readOnly: false, cancellationToken);
        FileLoader loader = new(store, tree);
        await Terminal.RunWithProgressAsync("loading", tree.TotalBytes, report => loader.RunAsync(report, cancellationToken));
        await store.FlushAsync(cancellationToken);
        foreach (string skipped in tree.Skipped)
        {
            Console.Error.WriteLine($"kv: left out {skipped}");
        }

        Console.WriteLine($"loaded {tree.Files.Count} files, {loader.BytesLoaded} bytes; left out {tree.Skipped.Count}");
        return tree.Skipped.Count == 0 ? ExitCode.Success : ExitCode.Negative;
    }
}
