using System.Diagnostics;
using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;
using StorageCache.Simulation.Running;
using StorageCache.Simulation.Scenarios;
using StorageCache.Simulation.Scenarios.Register;
using Xunit;

namespace StorageCache.Simulation.Tests.Running;

public class SimulationTests
{
    private const ulong QuickSeeds = 600;

    public static TheoryData<string> Scenarios => new(ScenarioCatalog.All.Select(static scenario => scenario.Name));

    [Theory]
    [MemberData(nameof(Scenarios))]
    public async Task Nothing_is_found_in_some_seeds(string scenario)
    {
        Totals totals = await RunAsync(ScenarioCatalog.Find(scenario)!, QuickSeeds);
        Assert.Null(totals.Failure?.Violation);
        Assert.Equal((long)QuickSeeds, totals.Seeds);
        Assert.True(totals.PowerLosses > totals.Seeds);
        Assert.Equal(ScenarioCatalog.Find(scenario)!.Faults.Order(), totals.Strikes.Keys);
    }

    /// <remarks>SIM-1.</remarks>
    [Theory]
    [MemberData(nameof(Scenarios))]
    public async Task A_seed_gives_the_same_events_in_every_process(string scenario)
    {
        string[] first = await WorkerAsync(scenario, seed: 1, count: 60);
        string[] second = await WorkerAsync(scenario, seed: 1, count: 60, ("DOTNET_TieredCompilation", "0"), ("DOTNET_GCgen0size", "100000"));
        Assert.Equal(60, first.Length);
        Assert.Equal(first, second);

        // Alone, and not behind others.
        Assert.Equal(first[^1], Assert.Single(await WorkerAsync(scenario, seed: 60, count: 1)));
    }

    [Fact]
    public async Task A_toy_without_a_bug_passes()
    {
        Totals totals = await RunAsync(new RegisterScenario(RegisterBug.None), 500);
        Assert.Null(totals.Failure?.Violation);
    }

    /// <remarks>SIM-6 for the one that stands still.</remarks>
    [Theory]
    [InlineData(nameof(RegisterBug.NoFlush), "was acknowledged")]
    [InlineData(nameof(RegisterBug.FlushAgain), "was acknowledged")]
    [InlineData(nameof(RegisterBug.Stall), "stands still")]
    public async Task A_planted_bug_is_found_and_replayed(string bug, string message)
    {
        RegisterScenario scenario = new(Enum.Parse<RegisterBug>(bug));
        SimulationResult found = Assert.IsType<SimulationResult>((await RunAsync(scenario, 500)).Failure);
        Assert.Contains(message, found.Violation!, StringComparison.Ordinal);
        SimulationResult again = SeedReport.Parse(Assert.Single(await WorkerAsync(scenario.Name, found.Seed, count: 1)));
        Assert.Equal((found.Hash, found.Events, found.Violation), (again.Hash, again.Events, again.Violation));
    }

    [Fact]
    public void A_report_comes_through_as_it_was()
    {
        SimulationResult result = new(7, 0xABCDEF, 100, 3, 40, new Dictionary<Fault, long> { [Fault.Stuck] = 2, [Fault.ReadError] = 1 }, "It has\nlost \"a page\".");
        SimulationResult parsed = SeedReport.Parse(SeedReport.Format(result));
        Assert.Equal(result with { Strikes = parsed.Strikes }, parsed);
        Assert.Equal(result.Strikes.OrderBy(static strike => strike.Key), parsed.Strikes.OrderBy(static strike => strike.Key));
        Assert.Null(SeedReport.Parse(SeedReport.Format(result with { Violation = null })).Violation);
    }

    private static async Task<Totals> RunAsync(IScenario scenario, ulong seeds)
    {
        Totals totals = new();
        await new Fleet(scenario, firstSeed: 1, seeds, workers: 2).RunAsync(totals.Add, TestContext.Current.CancellationToken);
        return totals;
    }

    private static async Task<string[]> WorkerAsync(string scenario, ulong seed, ulong count, params (string Name, string Value)[] variables)
    {
        ProcessStartInfo start = WorkerProcess.Describe(scenario, seed, count, stride: 1, trace: false);
        start.RedirectStandardOutput = true;
        foreach ((string name, string value) in variables)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start)!;
        string all = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return all.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
