using StorageCache.KeyValueStore.Crash.Disks;
using StorageCache.KeyValueStore.Crash.Oracle;
using StorageCache.KeyValueStore.Crash.Work;

namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>Lives that end with SIGKILL, one after the other on the same files.</summary>
internal sealed class KillRun(RunSettings settings) : ICrashRun
{
    private const long DiskBytes = 400L << 20;

    private readonly Random _random = new(settings.Seed);
    private readonly Histories _histories = new();

    public RunTotals Totals { get; } = new();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using Disk disk = Disk.Create(settings.FileSystem, DiskBytes, settings.Scratch);
        FilesBefore before = new(disk.Path, settings.Scratch + "-violation");
        StoreSet stores = new(disk.Path, _random, _histories);
        for (int life = 1; life <= settings.Times && !cancellationToken.IsCancellationRequested; life++)
        {
            IReadOnlyList<StorePlan> plan = stores.Plan(alwaysDurable: false);
            before.Take();
            try
            {
                await LiveAsync(disk, plan, life, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                break;
            }
            catch (ViolationException exception)
            {
                string kept = before.Keep();
                throw new ViolationException(
                    $"{exception.Message}{Environment.NewLine}Seed {settings.Seed}, file system {settings.FileSystem}, life {life}; files as they were before this life, and are: '{kept}'.");
            }
            finally
            {
                Totals.Take(_histories);
            }
        }

        before.Forget();
    }

    private async Task LiveAsync(Disk disk, IReadOnlyList<StorePlan> stores, int life, CancellationToken cancellationToken)
    {
        Killer killer = new(new Random(_random.Next()));
        LifePlan plan = new()
        {
            Directory = disk.Path,
            Stores = stores,
            Seed = settings.Seed,
            Life = life,
            Clones = Math.Max(killer.Clones, _random.Next(4)),
            CacheBytes = (long)_random.Next(3, 8) << 20,
            CheckpointBytes = 64L << (10 + _random.Next(6)),
            SegmentBytes = 64 << (10 + _random.Next(3)),
            Writers = _random.Next(1, 17),
            IoEngine = _random.Next(4) == 0 ? IoEngine.Threads : IoEngine.Auto,
        };
        Totals.Lives++;
        Totals.Count($"killed {killer.Moment}");
        await new Life(plan, _histories).RunAsync(
            killer.OnStart,
            (worker, report) =>
            {
                killer.OnReport(worker, report);
                Totals.Take(_histories);
            },
            cancellationToken).ConfigureAwait(false);
    }
}
