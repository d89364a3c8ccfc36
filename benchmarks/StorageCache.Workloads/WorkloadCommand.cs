using System.CommandLine;
using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads;

/// <summary>The command line: which workloads to run, for how long, and where the numbers go.</summary>
internal static class WorkloadCommand
{
    private const int Succeeded = 0;
    private const int WorkloadFailed = 2;

    /// <summary>Makes the root command. It exits with 0, with 1 for wrong usage, with 2 when a workload fails.</summary>
    public static RootCommand Create(IReadOnlyList<IWorkload> workloads)
    {
        Argument<string[]> names = new("workload")
        {
            Description = $"What to run, one or more of: {string.Join(", ", workloads.Select(w => w.Name))}.",
            Arity = ArgumentArity.OneOrMore,
        };
        names.Validators.Add(result =>
        {
            foreach (string name in result.Tokens.Select(token => token.Value))
            {
                if (workloads.All(workload => workload.Name != name))
                {
                    result.AddError($"There is no workload '{name}'. There are: {string.Join(", ", workloads.Select(w => w.Name))}.");
                }
            }
        });
        Option<bool> quick = new("--quick") { Description = "Keep every workload under 60 seconds; the spreads are wider." };
        Option<FileInfo?> json = new("--json") { Description = "Write the metrics to a file, as an array of {name, value, unit}.", HelpName = "file" };
        Option<int?> rounds = new("--rounds") { Description = "How many rounds to run, 1 or more; each round measures every variant once.", HelpName = "count" };
        rounds.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() < 1)
            {
                result.AddError("--rounds must be 1 or more.");
            }
        });

        Command list = new("list", "List the workloads.");
        list.SetAction(_ => List(workloads));

        RootCommand root = new("Measures StorageCache beside its baselines. Variants are interleaved in rounds; medians are reported.")
        {
            names,
            quick,
            json,
            rounds,
            list,
        };
        root.SetAction((parsed, cancellationToken) => RunAsync(
            workloads.Where(workload => parsed.GetRequiredValue(names).Contains(workload.Name)),
            new WorkloadContext(parsed.GetValue(quick), parsed.GetValue(rounds), Console.Error, cancellationToken),
            parsed.GetValue(json)));
        return root;
    }

    private static int List(IReadOnlyList<IWorkload> workloads)
    {
        int width = workloads.Max(workload => workload.Name.Length);
        foreach (IWorkload workload in workloads)
        {
            Console.Out.WriteLine($"{workload.Name.PadRight(width)}  {workload.Description}");
        }

        return Succeeded;
    }

    private static async Task<int> RunAsync(IEnumerable<IWorkload> workloads, WorkloadContext context, FileInfo? json)
    {
        try
        {
            foreach (IWorkload workload in workloads)
            {
                context.Note($"{workload.Name}: {workload.Description}");
                await workload.RunAsync(context);
            }
        }
        catch (WorkloadFailedException failure)
        {
            await Console.Error.WriteLineAsync($"The workload failed: {failure.Message}");
            return WorkloadFailed;
        }

        ReportTable.Write(Console.Out, context.Report.Metrics);
        if (json is not null)
        {
            await using FileStream file = json.Create();
            ReportJson.Write(file, context.Report.Metrics);
        }

        return Succeeded;
    }
}
