using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;
using StorageCache.Simulation.Scenarios;

namespace StorageCache.Simulation.Running;

/// <summary>The command line.</summary>
internal static class SimulationCommand
{
    private const int Succeeded = 0;
    private const int Violated = 2;

    /// <summary>How often a run says how far it is: where nobody watches, each time is a line.</summary>
    private static readonly TimeSpan s_saysEvery = TimeSpan.FromSeconds(AnsiConsole.Profile.Capabilities.Interactive ? 1 : 30);

    /// <summary>Makes the root command. It exits with 0, with 1 for wrong usage, with 2 for a violation.</summary>
    public static RootCommand Create() => new("Runs the cache over a simulated disk, clock and scheduler, with losses of power: a seed decides everything, and replays it.")
    {
        CreateRun(),
        CreateReplay(),
        CreateWorker(),
    };

    private static Command CreateRun()
    {
        Option<string> scenario = ScenarioOption();
        Option<ulong> seeds = new("--seeds") { Description = "How many seeds to run.", DefaultValueFactory = static _ => 1000 };
        Option<double?> minutes = new("--minutes") { Description = "Run for so long instead.", HelpName = "minutes" };
        Option<ulong> first = new("--first-seed") { Description = "The first seed.", DefaultValueFactory = static _ => 1 };
        Option<int> workers = new("--workers") { Description = "How many processes simulate.", DefaultValueFactory = static _ => 2 };
        workers.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 1024)
            {
                result.AddError("--workers must be 1 to 1024.");
            }
        });
        minutes.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<double?>() is <= 0 or > 100_000)
            {
                result.AddError("--minutes must be above 0 and at most 100000.");
            }
        });
        Command run = new("run", "Run seeds, until one finds something.") { scenario, seeds, minutes, first, workers };
        run.SetAction((parsed, cancellationToken) => RunAsync(
            ScenarioCatalog.Find(parsed.GetRequiredValue(scenario))!,
            parsed.GetValue(minutes) is null ? parsed.GetRequiredValue(seeds) : ulong.MaxValue / 2,
            parsed.GetValue(minutes),
            parsed.GetRequiredValue(first),
            parsed.GetRequiredValue(workers),
            cancellationToken));
        return run;
    }

    private static Command CreateReplay()
    {
        Option<string> scenario = ScenarioOption();
        Option<ulong> seed = new("--seed") { Description = "The seed.", Required = true };
        Option<bool> trace = new("--trace") { Description = "Write every event." };
        Command replay = new("replay", "Run one seed again.") { scenario, seed, trace };
        replay.SetAction(async (parsed, cancellationToken) =>
        {
            using Process process = Process.Start(WorkerProcess.Describe(
                parsed.GetRequiredValue(scenario), parsed.GetRequiredValue(seed), count: 1, stride: 1, parsed.GetValue(trace)))!;
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
            return process.ExitCode;
        });
        return replay;
    }

    private static Command CreateWorker()
    {
        Option<string> scenario = ScenarioOption();
        Option<ulong> seed = new("--seed") { Required = true };
        Option<ulong> count = new("--count") { DefaultValueFactory = static _ => 1 };
        Option<ulong> stride = new("--stride") { DefaultValueFactory = static _ => 1 };
        Option<bool> trace = new("--trace");
        Command worker = new("worker", "Run seeds in this process, and report one a line.") { scenario, seed, count, stride, trace };
        worker.Hidden = true;
        worker.SetAction(parsed => Worker.Run(
            ScenarioCatalog.Find(parsed.GetRequiredValue(scenario))!,
            parsed.GetRequiredValue(seed),
            parsed.GetRequiredValue(count),
            parsed.GetRequiredValue(stride),
            Console.Out,
            parsed.GetValue(trace) ? Console.Out : null)
            ? Succeeded
            : Violated);
        return worker;
    }

    private static Option<string> ScenarioOption()
    {
        Option<string> scenario = new("--scenario")
        {
            Description = $"What to simulate: {string.Join("; ", ScenarioCatalog.All.Select(static scenario => $"'{scenario.Name}': {scenario.Description}"))}",
            DefaultValueFactory = static _ => ScenarioCatalog.All[0].Name,
            HelpName = "name",
        };
        scenario.Validators.Add(static result =>
        {
            if (result.Tokens.Count == 1 && ScenarioCatalog.Find(result.Tokens[0].Value) is null)
            {
                result.AddError($"There is no scenario '{result.Tokens[0].Value}'. There are: {string.Join(", ", ScenarioCatalog.All.Select(static scenario => scenario.Name))}.");
            }
        });
        return scenario;
    }

    private static async Task<int> RunAsync(IScenario scenario, ulong seeds, double? minutes, ulong firstSeed, int workers, CancellationToken cancellationToken)
    {
        Totals totals = new();
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (minutes is { } limit)
        {
            stop.CancelAfter(TimeSpan.FromMinutes(limit));
        }

        long began = Stopwatch.GetTimestamp();
        long said = began;
        await AnsiConsole.Status().StartAsync(Progress(scenario, totals), context => new Fleet(scenario, firstSeed, seeds, workers).RunAsync(
            result =>
            {
                totals.Add(result);
                if (Stopwatch.GetElapsedTime(said) >= s_saysEvery)
                {
                    said = Stopwatch.GetTimestamp();
                    context.Status(Progress(scenario, totals));
                }
            },
            stop.Token)).ConfigureAwait(false);
        Write(totals, Stopwatch.GetElapsedTime(began));
        if (totals.Failure is not { } failure)
        {
            return Succeeded;
        }

        Console.Out.WriteLine($"Seed {failure.Seed} finds: {failure.Violation}");
        Console.Out.WriteLine($"Replay: dotnet {typeof(SimulationCommand).Assembly.Location} replay --scenario {scenario.Name} --seed {failure.Seed} --trace");
        return Violated;
    }

    private static string Progress(IScenario scenario, Totals totals) => string.Create(
        CultureInfo.InvariantCulture,
        $"{scenario.Name}: {totals.Seeds:N0} seeds, {totals.PowerLosses:N0} losses of power, {totals.Events:N0} events");

    private static void Write(Totals totals, TimeSpan time)
    {
        Table table = new Table().AddColumn("what").AddColumn(new TableColumn("times").RightAligned());
        Add("seeds", totals.Seeds);
        Add("losses of power", totals.PowerLosses);
        Add("operations", totals.Operations);
        Add("events", totals.Events);
        foreach ((Fault fault, long times) in totals.Strikes)
        {
            Add(fault.ToString(), times);
        }

        AnsiConsole.Write(table);
        AnsiConsole.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"In {time.TotalSeconds:N1} seconds.");

        void Add(string what, long times) => table.AddRow(what, times.ToString("N0", CultureInfo.InvariantCulture));
    }
}
