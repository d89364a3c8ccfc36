using System.CommandLine;
using System.Globalization;
using Spectre.Console;
using StorageCache.KeyValueStore.Cli.CommandLine;

namespace StorageCache.KeyValueStore.Cli.Commands;

internal static class StatsCommand
{
    public static Command Create()
    {
        Command command = new("stats", "Print what the store holds and what its pages are used for.");
        StoreOptions options = new(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, options, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, StoreOptions options, CancellationToken cancellationToken)
    {
        await using KeyValueStore store = await options.OpenAsync(parsed, MappingMode.Open, readOnly: true, cancellationToken);
        KeyValueStoreStatistics statistics = store.GetStatistics();
        Table table = Terminal.CreateTable(System.IO.Path.GetFileName(store.Path), "", "");
        table.HideHeaders();
        Add("entries", statistics.Entries);
        Add("bytes of keys", statistics.KeyBytes);
        Add("bytes of values", statistics.ValueBytes);
        Add("page size", statistics.PageSize);
        Add("pages", statistics.PageCount);
        Add("bytes of the file", statistics.PageCount * statistics.PageSize);
        Add("height of the tree", statistics.Height);
        Add("leaf pages", statistics.LeafPages);
        Add("branch pages", statistics.BranchPages);
        Add("overflow pages", statistics.OverflowPages);
        Add("map pages", statistics.MapPages);
        Add("free pages", statistics.FreePages);
        Terminal.Output.Write(table);
        return ExitCode.Success;

        void Add(string name, long value) => table.AddRow(name, value.ToString("N0", CultureInfo.InvariantCulture));
    }
}
