using System.CommandLine;
using StorageCache.KeyValueStore.Cli.CommandLine;

namespace StorageCache.KeyValueStore.Cli.Commands;

internal static class CheckCommand
{
    public static Command Create()
    {
        Command command = new("check", "Walk every page and prove the structure. Exit code 1 when there is a problem.");
        StoreOptions options = new(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, options, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, StoreOptions options, CancellationToken cancellationToken)
    {
        await using KeyValueStore store = await options.OpenAsync(parsed, MappingMode.Open, readOnly: true, cancellationToken);
        CheckReport report = await Terminal.RunWithProgressAsync(
            "checking", store.GetStatistics().PageCount, report => store.CheckAsync(new PageProgress(report), cancellationToken).AsTask());
        foreach (CheckProblem problem in report.Problems)
        {
            ErrorReporting.Warn($"{problem}");
        }

        Console.WriteLine($"checked {report.Pages} pages, {report.Entries} entries, {report.ProblemCount} problems");
        return report.IsSound ? ExitCode.Success : ExitCode.Negative;
    }
}
