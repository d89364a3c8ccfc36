using StorageCache.KeyValueStore.Crash.Disks;
using StorageCache.KeyValueStore.Crash.Work;

namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>Lives that end with SIGKILL, one after the other on the same files.</summary>
internal sealed class KillRun(RunSettings settings) : CrashRun(settings, DiskBytes, alwaysDurable: false)
{
    private const long DiskBytes = 400L << 20;

    private FilesBefore? _before;

    protected override string KeepEvidence() => $"; files as they were before this life, and are: '{_before!.Keep()}'";

    protected override void ForgetEvidence() => _before?.Forget();

    protected override async Task LiveAsync(Disk disk, IReadOnlyList<StorePlan> stores, int life, CancellationToken cancellationToken)
    {
        _before ??= new FilesBefore(disk.Path, Settings.Scratch + "-violation");
        _before.Take();
        Killer killer = new(new Random(Random.Next()));
        LifePlan plan = PlanOf(disk, stores, life);
        plan = plan with
        {
            Clones = Math.Max(killer.Clones, plan.Clones),
            CacheBytes = (long)Random.Next(3, 8) << 20,
            Writers = Random.Next(1, 17),
        };
        Totals.Lives++;
        Totals.Count($"killed {killer.Moment}");
        await new Life(plan, Histories).RunAsync(
            killer.OnStart,
            (worker, report) =>
            {
                killer.OnReport(worker, report);
                Totals.Take(Histories);
            },
            cancellationToken).ConfigureAwait(false);
    }
}
