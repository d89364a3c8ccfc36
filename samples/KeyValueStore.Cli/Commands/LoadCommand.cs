using System.CommandLine;
using StorageCache.KeyValueStore.Cli.CommandLine;
using StorageCache.KeyValueStore.Cli.Loading;

namespace StorageCache.KeyValueStore.Cli.Commands;

internal static class LoadCommand
{
    public static Command Create()
    {
        Command command = new(
            "load",
            "Put every file below a directory, its path from there (with /) as the key. Symbolic links are not followed. The store is created if need be. "
            + "Exit code 1 when files were left out, because they cannot be read or are too large, or changed while they were read.");
        Argument<string> directory = new("DIR") { Description = "The directory." };
        command.Add(directory);
        // All of it is flushed at the end: a load that is cut off is begun again.
        StoreOptions options = new(command) { Durability = KeyValueDurability.Written };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed, options, FilePath.Read(directory.Name, parsed.GetRequiredValue(directory)), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, StoreOptions options, string directory, CancellationToken cancellationToken)
    {
        FileTree tree = FileTree.Read(directory, exclude: options.PathOf(parsed));
        await using KeyValueStore store = await options.OpenAsync(parsed, MappingMode.OpenOrCreate, readOnly: false, cancellationToken);
        FileLoader loader = new(store, tree);
        await Terminal.RunWithProgressAsync("loading", tree.TotalBytes, report => loader.RunAsync(report, cancellationToken));
        await store.FlushAsync(cancellationToken);
        foreach (SkippedFile skipped in loader.Skipped)
        {
            ErrorReporting.Warn($"left out {skipped}");
        }

        foreach (string changed in loader.Changed)
        {
            ErrorReporting.Warn($"changed while it was read: {changed}");
        }

        Console.WriteLine(
            $"loaded {loader.Loaded.Count} files, {loader.BytesLoaded} bytes; left out {SkippedFile.Summarize(loader.Skipped)}; changed while read {loader.Changed.Count}");
        return loader.Skipped.Count + loader.Changed.Count == 0 ? ExitCode.Success : ExitCode.Negative;
    }
}
