using StorageCache.KeyValueStore.Crash.Disks;
using StorageCache.KeyValueStore.Crash.Oracle;
using StorageCache.KeyValueStore.Crash.Reports;
using StorageCache.KeyValueStore.Crash.Work;

namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>Lives that end with a disk that fails every write; it is mended before the next one.</summary>
/// <remarks>All changes wait for the disk: what the file system itself has not written is lost with it, as in a power loss.</remarks>
internal sealed class BrokenRun(RunSettings settings) : ICrashRun
{
    private const long DiskBytes = 320L << 20;
    private const int ErrorsWanted = 40;

    private readonly Random _random = new(settings.Seed);
    private readonly Histories _histories = new();

    public RunTotals Totals { get; } = new();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using Disk disk = Disk.Create(settings.FileSystem, DiskBytes, settings.Scratch);
        StoreSet stores = new(disk.Path, _random, _histories);
        for (int life = 1; life <= settings.Times && !cancellationToken.IsCancellationRequested; life++)
        {
            IReadOnlyList<StorePlan> plan = stores.Plan(alwaysDurable: true);
            try
            {
                await LiveAsync(disk, plan, life, cancellationToken).ConfigureAwait(false);
                await disk.MendAsync().ConfigureAwait(false);
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

    private async Task LiveAsync(Disk disk, IReadOnlyList<StorePlan> stores, int life, CancellationToken cancellationToken)
    {
        LifePlan plan = new()
        {
            Directory = disk.Path,
            Stores = stores,
            Seed = settings.Seed,
            Life = life,
            Clones = _random.Next(4),
            CheckpointBytes = 64L << (10 + _random.Next(6)),
            SegmentBytes = 64 << (10 + _random.Next(3)),
            IsTolerant = true,
            IoEngine = _random.Next(4) == 0 ? IoEngine.Threads : IoEngine.Auto,
        };
        Totals.Lives++;
        bool breaksOpening = _random.Next(4) == 0;
        bool kills = _random.Next(2) == 0;
        int countdown = breaksOpening ? _random.Next(stores.Count) + 1 : _random.Next(1, 400);
        int errors = 0;
        bool isBroken = false;
        bool isEnding = false;
        Totals.Count(breaksOpening ? "broken while opening" : "broken while changing");
        await new Life(plan, _histories).RunAsync(
            static _ => { },
            (worker, report) =>
            {
                Totals.Take(_histories);
                ReportKind awaited = breaksOpening ? ReportKind.Opening : ReportKind.Done;
                if (!isBroken && report.Kind == awaited && --countdown == 0)
                {
                    disk.RefuseWrites();
                    isBroken = true;
                }

                errors += report.Kind is ReportKind.Failed or ReportKind.InDoubt or ReportKind.NotOpened ? 1 : 0;
                if (errors < ErrorsWanted || isEnding)
                {
                    return;
                }

                isEnding = true;
                Totals.Count(kills ? "killed on a broken disk" : "closed on a broken disk");
                if (kills)
                {
                    worker.Kill();
                }
                else
                {
                    worker.EndInput();
                }
            },
            cancellationToken).ConfigureAwait(false);
    }
}
