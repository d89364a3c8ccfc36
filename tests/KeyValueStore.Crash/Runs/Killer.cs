using StorageCache.KeyValueStore.Crash.Reports;

namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>Kills one worker at a moment that a seed chooses.</summary>
internal sealed class Killer
{
    private const int MostChanges = 500;

    /// <summary>Who was to be killed at a moment that does not come is killed after so many changes.</summary>
    private const int ChangesAtMost = 250;

    private readonly Random _random;
    private int _countdown;
    private int _changes;
    private bool _hasStruck;

    public Killer(Random random)
    {
        _random = random;
        Moment = random.Next(20) switch
        {
            0 => KillMoment.Starting,
            < 4 => KillMoment.Opening,
            < 7 => KillMoment.Cloning,
            < 8 => KillMoment.Cloned,
            < 11 => KillMoment.Closing,
            _ => KillMoment.Changing,
        };
        _countdown = Moment switch
        {
            KillMoment.Opening => random.Next(1, 4),
            KillMoment.Cloning or KillMoment.Cloned => random.Next(1, 3),
            _ => (int)Math.Exp(random.NextDouble() * Math.Log(MostChanges)),
        };
    }

    /// <summary>What it waits for.</summary>
    public KillMoment Moment { get; }

    /// <summary>Clones that have to be made for that moment to come.</summary>
    public int Clones => Moment is KillMoment.Cloning or KillMoment.Cloned ? _countdown : 0;

    public void OnStart(WorkerProcess worker)
    {
        if (Moment == KillMoment.Starting)
        {
            _ = StrikeAsync(worker, 300);
        }
    }

    public void OnReport(WorkerProcess worker, Report report)
    {
        _changes += report.Kind == ReportKind.Done ? 1 : 0;
        if (_hasStruck)
        {
            return;
        }

        if (Moment == KillMoment.Closing)
        {
            if (report.Kind == ReportKind.Done && --_countdown == 0)
            {
                worker.EndInput();
            }

            if (report.Kind == ReportKind.Closing)
            {
                _ = StrikeAsync(worker, 60);
            }

            return;
        }

        ReportKind awaited = Moment switch
        {
            KillMoment.Opening => ReportKind.Opening,
            KillMoment.Cloning => ReportKind.CloneBegun,
            KillMoment.Cloned => ReportKind.CloneDone,
            _ => ReportKind.Done,
        };
        if ((report.Kind == awaited && --_countdown == 0) || (Moment != KillMoment.Changing && _changes > ChangesAtMost))
        {
            _ = StrikeAsync(worker, Moment == KillMoment.Changing ? 5 : 60);
        }
    }

    /// <summary>Kills after a time of which short ones are as likely as long ones.</summary>
    private async Task StrikeAsync(WorkerProcess worker, int mostMilliseconds)
    {
        _hasStruck = true;
        double milliseconds = Math.Exp(_random.NextDouble() * Math.Log(mostMilliseconds * 10)) / 10;
        if (milliseconds >= 1)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(milliseconds)).ConfigureAwait(false);
        }

        worker.Kill();
    }
}
