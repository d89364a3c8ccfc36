using System.CommandLine;
using System.Globalization;
using StorageCache.KeyValueStore.Cli.CommandLine;

namespace StorageCache.KeyValueStore.Cli.Commands;

internal static class CloneCommand
{
    public static Command Create()
    {
        Command command = new(
            "clone",
            "Make a store of its own that holds what another does. Where the file system has reflinks (XFS, btrfs) the two files have their blocks in common until "
            + "one of them changes; elsewhere it is a plain copy, and the command says why.");
        Argument<string> source = new("SRC") { Description = "The store's file." };
        Argument<string> destination = new("DST") { Description = "The clone's file, which must not exist." };
        Option<long> cache = CacheSize.CreateOption();
        command.Add(source);
        command.Add(destination);
        command.Add(cache);
        command.SetAction((parsed, cancellationToken) => RunAsync(
            FilePath.Read(source.Name, parsed.GetRequiredValue(source)), FilePath.Read(destination.Name, parsed.GetRequiredValue(destination)),
            parsed.GetValue(cache), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(string source, string destination, long cacheSize, CancellationToken cancellationToken)
    {
        int pageSize = KeyValueStore.GetPageSize(source) ?? KeyValueStoreOptions.DefaultPageSize;
        KeyValueStoreOptions options = new()
        {
            Mode = MappingMode.Open,
            ReadOnly = true,
            CacheSize = CacheSize.For(cacheSize, pageSize),
            PageSize = pageSize,
        };
        await using KeyValueStore store = await StoreRecovery.OpenAsync(source, options, cancellationToken);
        KeyValueStoreClone clone = await store.CloneAsync(destination, cancellationToken);
        await using KeyValueStore cloned = clone.Store;
        KeyValueStoreStatistics statistics = cloned.GetStatistics();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"cloned {statistics.Entries} entries, {statistics.PageCount} pages, {statistics.PageCount * statistics.PageSize} bytes"));
        Console.WriteLine(clone.IsReflink
            ? "a reflink: the files have their blocks in common until one of them changes"
            : $"a plain copy: {clone.WhyNot}");
        return ExitCode.Success;
    }
}
