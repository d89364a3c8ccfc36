using System.Diagnostics;
using System.Globalization;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Running;

/// <summary>Several worker processes that share the seeds of a run.</summary>
/// <param name="scenario">What they simulate.</param>
/// <param name="firstSeed">The first seed of all.</param>
/// <param name="seeds">How many.</param>
/// <param name="workers">How many processes.</param>
internal sealed class Fleet(IScenario scenario, ulong firstSeed, ulong seeds, int workers)
{
    private const int LinesOfError = 40;

    /// <summary>How long a seed may take: a worker that says nothing for so long stands still in a way that it does not see itself.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(15);

    private readonly Lock _lock = new();

    /// <summary>Runs all seeds, or until one has a violation, and tells of each.</summary>
    /// <param name="onResult">Hears of each seed; called by one thread at a time.</param>
    /// <param name="cancellationToken">Ends the workers.</param>
    public async Task RunAsync(Action<SimulationResult> onResult, CancellationToken cancellationToken)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAll(Enumerable.Range(0, workers).Select(worker => RunWorkerAsync((ulong)worker, OnResult, stop.Token))).ConfigureAwait(false);

        void OnResult(SimulationResult result)
        {
            lock (_lock)
            {
                onResult(result);
            }

            if (result.Violation is not null)
            {
                stop.Cancel();
            }
        }
    }

    private async Task RunWorkerAsync(ulong worker, Action<SimulationResult> onResult, CancellationToken stop)
    {
        ulong stride = (ulong)workers;
        ulong next = firstSeed + worker;
        ulong count = (seeds + stride - 1 - worker) / stride;
        if (count == 0 || stop.IsCancellationRequested)
        {
            return;
        }

        ProcessStartInfo start = WorkerProcess.Describe(scenario.Name, next, count, stride, trace: false);
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        using Process process = Process.Start(start)!;
        Queue<string> errors = new();
        Task reading = ReadErrorsAsync(process.StandardError, errors);
        try
        {
            while (count > 0)
            {
                string? line = await process.StandardOutput.ReadLineAsync(stop).AsTask().WaitAsync(s_patience, stop).ConfigureAwait(false);
                if (line is null)
                {
                    await reading.ConfigureAwait(false);
                    await process.WaitForExitAsync(stop).ConfigureAwait(false);
                    onResult(Failure(next, $"The process has ended with {process.ExitCode.ToString(CultureInfo.InvariantCulture)}.\n{string.Join('\n', errors)}"));
                    return;
                }

                SimulationResult result = SeedReport.Parse(line);
                onResult(result);
                if (result.Violation is not null)
                {
                    return;
                }

                next += stride;
                count--;
            }
        }
        catch (OperationCanceledException)
        {
            // Another one has found something, or time is up.
        }
        catch (TimeoutException)
        {
            onResult(Failure(next, $"Nothing was heard of it for {s_patience.TotalMinutes} minutes."));
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }

            await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        }
    }

    private static SimulationResult Failure(ulong seed, string violation) =>
        new(seed, 0, 0, 0, 0, new Dictionary<Disk.Fault, long>(), violation);

    private static async Task ReadErrorsAsync(StreamReader reader, Queue<string> errors)
    {
        while (await reader.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            errors.Enqueue(line);
            if (errors.Count > LinesOfError)
            {
                errors.Dequeue();
            }
        }
    }
}
