using System.CommandLine;
using System.Globalization;
using StorageCache.KeyValueStore.Cli.CommandLine;
using StorageCache.KeyValueStore.Cli.Demo;

namespace StorageCache.KeyValueStore.Cli.Commands;

internal static class DemoCommand
{
    private const int MostClones = 100;

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
        Option<int> clones = CreateClones();
        Option<string?> scratch = new("--scratch") { Description = "Where to make the stores; without it, the directory for temporary files.", HelpName = "DIRECTORY" };
        Flag shareContent = new("--share-content", "With --clones: share pages of equal content as well, which plain copies need to share any.");
        Flag plant = new("--plant-difference", "Change one byte before the comparison, which must then fail.") { Hidden = true };
        command.Add(directory);
        command.Add(cacheSize);
        command.Add(pageSize);
        command.Add(keep);
        command.Add(clones);
        command.Add(scratch);
        command.Add(shareContent);
        command.Add(plant);
        command.SetAction((parsed, cancellationToken) => new Demonstration(new DemoOptions(
            ReadPath(parsed, directory), parsed.GetValue(cacheSize), parsed.GetValue(pageSize), parsed.GetValue(keep), parsed.GetValue(plant))
        {
            Clones = parsed.GetValue(clones),
            Scratch = parsed.GetValue(scratch) is { } path ? FilePath.Read(scratch.Name, path) : null,
            ShareContent = parsed.GetValue(shareContent) && (parsed.GetValue(clones) > 0
                ? true
                : throw new UsageException($"{shareContent.Name} is given without {clones.Name}", $"{clones.Name} N with it")),
        }).RunAsync(cancellationToken));
        return command;
    }

    private static string? ReadPath(ParseResult parsed, Argument<string?> argument) =>
        parsed.GetValue(argument) is { } path ? FilePath.Read(argument.Name, path) : null;

    private static LimitedOption<int> CreateClones()
    {
        string allowed = $"1 to {MostClones}";
        return new LimitedOption<int>(
            "--clones", allowed, (text, out count) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count is >= 1 and <= MostClones)
        {
            Description = "Make so many clones of a store with the data afterwards, and end with what all of them take in memory, in this cache and in the kernel's, "
                + $"before and after each changes a tenth of its pages; {allowed}. Where the file system has no reflinks, root makes an XFS image for them.",
            HelpName = "N",
        };
    }
}
