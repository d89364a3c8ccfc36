using StorageCache.KeyValueStore.Crash.Disks;
using StorageCache.KeyValueStore.Crash.Oracle;
using StorageCache.KeyValueStore.Crash.Reports;
using StorageCache.KeyValueStore.Crash.Work;

namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>Lives on a disk that has no room left now and then, and then has some again.</summary>
internal sealed class FullRun(RunSettings settings) : ICrashRun
{
    /// <summary>As small as <c>mkfs.xfs</c> will have it.</summary>
    private const long DiskBytes = 320L << 20;

    private const int ErrorsWanted = 30;

    /// <summary>Changes that a full disk may take, as they need no room, before it is taken as it is.</summary>
    private const int ChangesAtMost = 1500;

    private const int ChangesWanted = 60;

    /// <summary>Errors after there is room again, of which many may be under way or said by stores that have to be opened anew.</summary>
    private const int ErrorsAtMost = 5000;

    private readonly Random _random = new(settings.Seed);
    private readonly Histories _histories = new();

    public RunTotals Totals { get; } = new();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using Disk disk = Disk.Create(settings.FileSystem, DiskBytes, settings.Scratch);
        StoreSet stores = new(disk.Path, _random, _histories);
        bool isFull = false;
        for (int life = 1; life <= settings.Times && !cancellationToken.IsCancellationRequested; life++)
        {
            IReadOnlyList<StorePlan> plan = stores.Plan(alwaysDurable: false);
            try
            {
                isFull = await LiveAsync(disk, plan, life, isFull, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                break;
            }
            catch (ViolationException exception)
            {
                throw new ViolationException($"{exception.Message}{Environment.NewLine}Seed {settings.Seed}, file system {settings.FileSystem}, life {life}.");
            }
            finally
            {
                Totals.Take(_histories);
            }
        }
    }

    /// <summary>One life: some changes, no room, and then room and more changes, or an end without.</summary>
    /// <returns>Whether the disk is full at the end.</returns>
    private async Task<bool> LiveAsync(Disk disk, IReadOnlyList<StorePlan> stores, int life, bool isFull, CancellationToken cancellationToken)
    {
        LifePlan plan = new()
        {
            Directory = disk.Path,
            Stores = stores,
            Seed = settings.Seed,
            Life = life,
            Clones = _random.Next(4),
            Keys = 20_000,
            CheckpointBytes = 64L << (10 + _random.Next(6)),
            SegmentBytes = 64 << (10 + _random.Next(3)),
            IsTolerant = true,
            IoEngine = _random.Next(4) == 0 ? IoEngine.Threads : IoEngine.Auto,
        };
        Totals.Lives++;
        int changesBefore = _random.Next(1, 200);
        bool makesRoom = _random.Next(3) > 0;
        bool kills = _random.Next(2) == 0;
        FullPhase phase = isFull ? FullPhase.Full : FullPhase.Before;
        Totals.Count(isFull ? "opened on a full disk" : "opened with room");
        int changes = 0;
        int errors = 0;
        await new Life(plan, _histories).RunAsync(
            static _ => { },
            (worker, report) =>
            {
                Totals.Take(_histories);
                changes += report.Kind == ReportKind.Done ? 1 : 0;
                errors += report.Kind is ReportKind.Failed or ReportKind.InDoubt or ReportKind.NotOpened ? 1 : 0;
                switch (phase)
                {
                    case FullPhase.Before when changes >= changesBefore:
                        disk.FillUp(left: _random.Next(3) * 100_000);
                        isFull = true;
                        Next(FullPhase.Full);
                        break;
                    case FullPhase.Full when errors >= ErrorsWanted || changes >= ChangesAtMost:
                        Totals.Count(errors >= ErrorsWanted ? "full, with errors" : "full, but nothing needs room");
                        if (makesRoom)
                        {
                            disk.MakeRoom();
                            isFull = false;
                            Next(FullPhase.RoomAgain);
                            break;
                        }

                        End(worker, "full");
                        break;
                    case FullPhase.RoomAgain when changes >= ChangesWanted:
                        End(worker, "with room again");
                        break;
                    case FullPhase.RoomAgain when errors >= ErrorsAtMost:
                        throw new ViolationException($"There is room again, and still {errors} errors: {report.Text}.");
                }
            },
            cancellationToken).ConfigureAwait(false);
        return isFull;

        void Next(FullPhase next)
        {
            phase = next;
            changes = 0;
            errors = 0;
        }

        void End(WorkerProcess worker, string how)
        {
            Totals.Count($"{(kills ? "killed" : "closed")} {how}");
            Next(FullPhase.Ending);
            if (kills)
            {
                worker.Kill();
            }
            else
            {
                worker.EndInput();
            }
        }
    }
}
