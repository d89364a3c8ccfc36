using StorageCache.KeyValueStore.Crash.Oracle;
using StorageCache.KeyValueStore.Crash.Reports;
using StorageCache.KeyValueStore.Crash.Work;

namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>One worker's life, from its start to its end.</summary>
internal sealed class Life(LifePlan plan, Histories histories)
{
    /// <summary>How long a worker may say nothing. Much, as somebody may have stopped all of these processes for a while.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(10);

    private const int ExitedBySignal = 128;

    /// <summary>Runs it to the end.</summary>
    /// <param name="onStart">Gets the process.</param>
    /// <param name="onReport">Hears of every report, after it has been taken in.</param>
    /// <param name="cancellationToken">Kills the worker.</param>
    /// <exception cref="ViolationException">A promise was broken.</exception>
    public async Task RunAsync(Action<WorkerProcess> onStart, Action<WorkerProcess, Report> onReport, CancellationToken cancellationToken)
    {
        await using WorkerProcess worker = WorkerProcess.Start(plan);
        onStart(worker);
        while (true)
        {
            Report? report;
            try
            {
                report = await worker.ReadAsync(cancellationToken).AsTask().WaitAsync(s_patience, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                throw new ViolationException($"Nothing was heard of the worker for {s_patience.TotalMinutes} minutes.");
            }

            if (report is null)
            {
                break;
            }

            histories.Take(report);
            onReport(worker, report);
        }

        (int exitCode, string errors) = await worker.WaitAsync().ConfigureAwait(false);
        histories.EndLife();
        if (exitCode is not 0 and not (ExitedBySignal + 9))
        {
            throw new ViolationException($"The worker has ended with {exitCode}: {errors}");
        }
    }
}
