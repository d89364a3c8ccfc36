using StorageCache.KeyValueStore.Crash.Disks;
using StorageCache.KeyValueStore.Crash.Oracle;
using StorageCache.KeyValueStore.Crash.Reports;
using StorageCache.KeyValueStore.Crash.Work;

namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>Lives on a disk that has no room left now and then, and then has some again.</summary>
internal sealed class FullRun(RunSettings settings) : CrashRun(settings, DiskBytes, alwaysDurable: false)
{
    /// <summary>As small as <c>mkfs.xfs</c> will have it.</summary>
    private const long DiskBytes = 320L << 20;

    private const int ErrorsWanted = 30;

    /// <summary>Changes that a full disk may take, as they need no room, before it is taken as it is.</summary>
    private const int ChangesAtMost = 1500;

    private const int ChangesWanted = 60;

    /// <summary>Errors after there is room again, of which many may be under way or said by stores that have to be opened anew.</summary>
    private const int ErrorsAtMost = 5000;

    /// <summary>Whether the disk was full when the life before ended.</summary>
    private bool _isFull;

    /// <summary>One life: some changes, no room, and then room and more changes, or an end without.</summary>
    protected override async Task LiveAsync(Disk disk, IReadOnlyList<StorePlan> stores, int life, CancellationToken cancellationToken)
    {
        LifePlan plan = PlanOf(disk, stores, life) with { IsTolerant = true, Keys = 20_000 };
        Totals.Lives++;
        int changesBefore = Random.Next(1, 200);
        bool makesRoom = Random.Next(3) > 0;
        bool kills = Random.Next(2) == 0;
        FullPhase phase = _isFull ? FullPhase.Full : FullPhase.Before;
        Totals.Count(_isFull ? "opened on a full disk" : "opened with room");
        int changes = 0;
        int errors = 0;
        await new Life(plan, Histories).RunAsync(
            static _ => { },
            (worker, report) =>
            {
                Totals.Take(Histories);
                changes += report.Kind == ReportKind.Done ? 1 : 0;
                errors += report.IsError ? 1 : 0;
                switch (phase)
                {
                    case FullPhase.Before when changes >= changesBefore:
                        disk.FillUp(left: Random.Next(3) * 100_000);
                        _isFull = true;
                        Next(FullPhase.Full);
                        break;
                    case FullPhase.Full when errors >= ErrorsWanted || changes >= ChangesAtMost:
                        Totals.Count(errors >= ErrorsWanted ? "full, with errors" : "full, but nothing needs room");
                        if (makesRoom)
                        {
                            disk.MakeRoom();
                            _isFull = false;
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
            worker.End(kills);
        }
    }
}
