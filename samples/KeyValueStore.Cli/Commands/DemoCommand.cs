using System.CommandLine;
using StorageCache.KeyValueStore.Cli.CommandLine;
using StorageCache.KeyValueStore.Cli.Demo;

namespace StorageCache.KeyValueStore.Cli.Commands;

internal static class DemoCommand
{
    public static Command Create()
    {
        Command command = new(
            "demo",
            "Put every file below a directory into a fresh store in a temporary directory, through a cache an eighth of their size; read them back, compare "
            + "them byte for byte, scan them in order, check the tree, and print what the cache did. Files that are left out, or change meanwhile, are named and "
            + "counted. Exit code 1 when a value is not what was read of its file, or the process took more memory than the cache's limit and 150 MB.");
        Argument<string?> directory = new("DIR")
        {
            Description = "The directory; without it, the .NET installation that runs this.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<long> cacheSize = CacheSize.CreateOption("an eighth of the data");
        Option<int> pageSize = StoreOptions.CreatePageSize();
        Flag keep = new("--keep", "Leave the store behind, and say where.");
        Flag plant = new("--plant-difference", "Change one byte before the comparison, which must then fail.") { Hidden = true };
        command.Add(directory);
        command.Add(cacheSize);
        command.Add(pageSize);
        command.Add(keep);
        command.Add(plant);
        command.SetAction((parsed, cancellationToken) => new Demonstration(new DemoOptions(
            parsed.GetValue(directory) is { } path ? FilePath.Read(directory.Name, path) : null, parsed.GetValue(cacheSize), parsed.GetValue(pageSize), parsed.GetValue(keep), parsed.GetValue(plant)))
            .RunAsync(cancellationToken));
        return command;
    }
}
