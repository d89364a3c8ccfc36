using StorageCache.KeyValueStore.Crash.Disks;
using StorageCache.KeyValueStore.Crash.Oracle;
using StorageCache.KeyValueStore.Crash.Reports;
using StorageCache.KeyValueStore.Crash.Work;

namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>Lives that end with a disk that fails every write; it is mended before the next one.</summary>
/// <remarks>All changes wait for the disk: what the file system itself has not written is lost with it, as in a power loss.</remarks>
internal sealed class BrokenRun(RunSettings settings) : CrashRun(settings, DiskBytes, alwaysDurable: true)
{
    private const long DiskBytes = 320L << 20;
    private const int ErrorsWanted = 40;

    protected override async Task LiveAsync(Disk disk, IReadOnlyList<StorePlan> stores, int life, CancellationToken cancellationToken)
    {
        LifePlan plan = PlanOf(disk, stores, life) with { IsTolerant = true };
        Totals.Lives++;
        bool breaksOpening = Random.Next(4) == 0;
        bool kills = Random.Next(2) == 0;
        int countdown = breaksOpening ? Random.Next(stores.Count) + 1 : Random.Next(1, 400);
        int errors = 0;
        bool isBroken = false;
        bool isEnding = false;
        Totals.Count(breaksOpening ? "broken while opening" : "broken while changing");
        await new Life(plan, Histories).RunAsync(
            static _ => { },
            (worker, report) =>
            {
                Totals.Take(Histories);
                ReportKind awaited = breaksOpening ? ReportKind.Opening : ReportKind.Done;
                if (!isBroken && report.Kind == awaited && --countdown == 0)
                {
                    disk.RefuseWrites();
                    isBroken = true;
                }

                errors += report.IsError ? 1 : 0;
                if (errors < ErrorsWanted || isEnding)
                {
                    return;
                }

                isEnding = true;
                Totals.Count(kills ? "killed on a broken disk" : "closed on a broken disk");
                worker.End(kills);
            },
            cancellationToken).ConfigureAwait(false);
        await disk.MendAsync().ConfigureAwait(false);
    }
}
