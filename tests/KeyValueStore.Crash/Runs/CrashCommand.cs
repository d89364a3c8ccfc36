using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using StorageCache.KeyValueStore.Crash.Disks;
using StorageCache.KeyValueStore.Crash.Oracle;

namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>The command line.</summary>
internal static class CrashCommand
{
    private static readonly string[] s_ownDisks = [.. Disk.Types.Where(static type => type != Disk.None)];
    private const int Succeeded = 0;
    private const int Violated = 2;
    private const int NotPossible = 3;
    private static readonly TimeSpan s_saysEvery = TimeSpan.FromSeconds(1);

    /// <summary>Makes the root command. It exits with 0, with 1 for wrong usage, with 2 for a violation, with 3 if a file system cannot be had.</summary>
    public static RootCommand Create() =>
        new("Kills processes that use stores on real files, fills and breaks the disks beneath them, and holds what is left against what was promised.")
        {
            CreateRun("kill", "Kill workers at random moments, again and again on the same files.", 100, static settings => new KillRun(settings), Disk.Types),
            CreateRun("full", "Fill the disk up beneath workers, and make room again.", 20, static settings => new FullRun(settings), s_ownDisks),
            CreateRun("eio", "Have the disk beneath workers fail every write, and mend it.", 20, static settings => new BrokenRun(settings), s_ownDisks),
            CreateWorker(),
        };

    private static Command CreateRun(string name, string description, int defaultTimes, Func<RunSettings, CrashRun> create, IReadOnlyList<string> fileSystems)
    {
        Option<int> times = new("--times") { Description = "How often, in all.", DefaultValueFactory = _ => defaultTimes };
        Option<double?> minutes = new("--minutes") { Description = "Run for so long instead.", HelpName = "minutes" };
        Option<int> seed = new("--seed") { Description = "Decides what is done and when; another one for each worker.", DefaultValueFactory = static _ => 1 };
        Option<int> workers = new("--workers") { Description = "How many run beside each other, each on files of its own.", DefaultValueFactory = static _ => 2 };
        Option<string> fileSystem = new("--file-system")
        {
            Description = $"What the files are on: {string.Join(", ", fileSystems)}.",
            DefaultValueFactory = _ => fileSystems[0],
            HelpName = "type",
        };
        Option<string> directory = new("--directory") { Description = "Where to make the files.", DefaultValueFactory = static _ => AppContext.BaseDirectory, HelpName = "path" };
        fileSystem.AcceptOnlyFromAmong([.. fileSystems]);
        Command command = new(name, description) { times, minutes, seed, workers, fileSystem, directory };
        command.SetAction((parsed, cancellationToken) =>
        {
            int count = parsed.GetRequiredValue(workers);
            int each = parsed.GetValue(minutes) is null ? (parsed.GetRequiredValue(times) + count - 1) / count : int.MaxValue;
            CrashRun[] runs =
            [
                .. Enumerable.Range(0, count).Select(worker => create(new RunSettings
                {
                    FileSystem = parsed.GetRequiredValue(fileSystem),
                    Seed = parsed.GetRequiredValue(seed) + worker,
                    Times = each,
                    Scratch = Path.Combine(parsed.GetRequiredValue(directory), $"crash-{Guid.NewGuid():N}"),
                })),
            ];
            return RunAsync(runs, parsed.GetValue(minutes), cancellationToken);
        });
        return command;
    }

    private static Command CreateWorker()
    {
        Argument<string> plan = new("plan");
        Command worker = new("worker", "Use stores until killed.") { plan };
        worker.Hidden = true;
        worker.SetAction((parsed, _) => WorkerProcess.RunAsync(parsed.GetRequiredValue(plan)));
        return worker;
    }

    private static async Task<int> RunAsync(CrashRun[] runs, double? minutes, CancellationToken cancellationToken)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (minutes is { } limit)
        {
            stop.CancelAfter(TimeSpan.FromMinutes(limit));
        }

        long began = Stopwatch.GetTimestamp();
        int code = Succeeded;
        try
        {
            Task all = Task.WhenAll(runs.Select(run => StopAllAsync(run, stop)));
            await AnsiConsole.Status().StartAsync("Starting", async context =>
            {
                while (!all.IsCompleted)
                {
                    await Task.WhenAny(all, Task.Delay(s_saysEvery, CancellationToken.None)).ConfigureAwait(false);
                    context.Status(Progress(Sum(runs)));
                }
            }).ConfigureAwait(false);
            await all.ConfigureAwait(false);
        }
        catch (ViolationException exception)
        {
            Console.Out.WriteLine($"Violation: {exception.Message}");
            code = Violated;
        }
        catch (DiskException exception)
        {
            Console.Out.WriteLine($"Not possible here: {exception.Message}");
            code = NotPossible;
        }

        Write(Sum(runs), Stopwatch.GetElapsedTime(began));
        return code;
    }

    private static async Task StopAllAsync(CrashRun run, CancellationTokenSource stop)
    {
        try
        {
            await Task.Run(() => run.RunAsync(stop.Token), CancellationToken.None).ConfigureAwait(false);
        }
        catch
        {
            await stop.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static RunTotals Sum(CrashRun[] runs)
    {
        RunTotals sum = new();
        foreach (CrashRun run in runs)
        {
            sum.Add(run.Totals.Snapshot());
        }

        return sum;
    }

    private static string Progress(RunTotals totals) => string.Create(
        CultureInfo.InvariantCulture,
        $"{totals.Lives:N0} lives, {totals.Acknowledged:N0} of {totals.Begun:N0} changes acknowledged, {totals.Checked:N0} stores checked, {totals.Clones:N0} clones");

    private static void Write(RunTotals totals, TimeSpan time)
    {
        Table table = new Table().AddColumn("what").AddColumn(new TableColumn("times").RightAligned());
        Add("lives", totals.Lives);
        foreach ((string strike, long times) in totals.Strikes)
        {
            Add(strike, times);
        }

        Add("changes begun", totals.Begun);
        Add("changes acknowledged", totals.Acknowledged);
        Add("stores checked", totals.Checked);
        Add("clones made", totals.Clones);
        Add("clones half made, refused", totals.ClonesRefused);
        Add("clones half made, right", totals.ClonesFound);
        foreach ((string error, long times) in totals.Errors)
        {
            Add(Markup.Escape(error), times);
        }

        AnsiConsole.Write(table);
        AnsiConsole.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"In {time.TotalSeconds:N1} seconds.");

        void Add(string what, long times) => table.AddRow(what, times.ToString("N0", CultureInfo.InvariantCulture));
    }
}
