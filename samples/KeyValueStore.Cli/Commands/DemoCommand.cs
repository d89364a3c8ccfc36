using System.CommandLine;
using StorageCache.KeyValueStore.Cli.Demo;

namespace StorageCache.KeyValueStore.Cli.Commands;

internal static class DemoCommand
{
    public static Command Create()
    {
        Command command = new(
            "demo",
            "Put every file below a directory into a fresh store in a temporary directory, through a cache an eighth of their size; read them back, compare "
            + "them byte for byte, scan them in order, check the tree, and print what the cache did. Exit code 1 when anything differs, "
            + "or the process took more memory than the cache's limit and 150 MB.");
        Argument<string?> directory = new("DIR")
        {
            Description = "The directory; without it, the .NET installation that runs this.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<long> cacheSize = ByteSize.Option("--cache", "Memory limit of the page cache, from 2M; 0 means an eighth of the data.", 0, 1L << 40, 0);
        Option<long> pageSize = StoreOptions.CreatePageSize();
        Option<bool> keep = new("--keep") { Description = "Leave the store behind, and say where." };
        Option<bool> plant = new("--plant-difference") { Description = "Change one byte before the comparison, which must then fail.", Hidden = true };
        command.Add(directory);
        command.Add(cacheSize);
        command.Add(pageSize);
        command.Add(keep);
        command.Add(plant);
        cacheSize.Validators.Add(result =>
        {
            if (!result.Errors.Any() && result.GetValue(cacheSize) is > 0 and < 2L << 20)
            {
                result.AddError("--cache takes 2M or more.");
            }
        });
        command.SetAction((parsed, cancellationToken) => new Demonstration(new DemoOptions(
            parsed.GetValue(directory), parsed.GetValue(cacheSize), (int)parsed.GetValue(pageSize), parsed.GetValue(keep), parsed.GetValue(plant)))
            .RunAsync(cancellationToken));
        return command;
    }
}
