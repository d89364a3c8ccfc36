using StorageCache.KeyValueStore.Crash.Disks;
using StorageCache.KeyValueStore.Crash.Oracle;
using StorageCache.KeyValueStore.Crash.Work;

namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>A run: does one kind of harm to stores, life after life on the same files.</summary>
/// <param name="settings">What it is to be.</param>
/// <param name="diskBytes">Size of its disk.</param>
/// <param name="alwaysDurable">Whether every change waits for the disk, or each store draws its durability.</param>
internal abstract class CrashRun(RunSettings settings, long diskBytes, bool alwaysDurable)
{
    /// <summary>What has happened so far. May be read while it runs.</summary>
    public RunTotals Totals { get; } = new();

    /// <summary>What it is to be.</summary>
    protected RunSettings Settings { get; } = settings;

    /// <summary>Decides.</summary>
    protected Random Random { get; } = new(settings.Seed);

    /// <summary>What the stores have promised.</summary>
    protected Histories Histories { get; } = new();

    /// <summary>Runs to the end, or until the token is cancelled.</summary>
    /// <exception cref="ViolationException">A promise was broken.</exception>
    /// <exception cref="DiskException">The file system cannot be had here.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using Disk disk = Disk.Create(Settings.FileSystem, diskBytes, Settings.Scratch);
        StoreSet stores = new(disk.Path, Random, Histories);
        for (int life = 1; life <= Settings.Times && !cancellationToken.IsCancellationRequested; life++)
        {
            IReadOnlyList<StorePlan> plan = stores.Plan(alwaysDurable);
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
                string where = $"Seed {Settings.Seed}, file system {Settings.FileSystem}, life {life}{KeepEvidence()}.";
                throw new ViolationException($"{exception.Message}{Environment.NewLine}{where}");
            }
            finally
            {
                Totals.Take(Histories);
            }
        }

        ForgetEvidence();
    }

    /// <summary>Has a worker live, and harms it or its disk.</summary>
    protected abstract Task LiveAsync(Disk disk, IReadOnlyList<StorePlan> stores, int life, CancellationToken cancellationToken);

    /// <summary>Keeps what may explain a violation. Returns what a message says of it, behind the number of the life.</summary>
    protected virtual string KeepEvidence() => string.Empty;

    /// <summary>Nothing was found: takes away what would have explained it.</summary>
    protected virtual void ForgetEvidence()
    {
    }

    /// <summary>What runs have in common in the plans of their lives.</summary>
    protected LifePlan PlanOf(Disk disk, IReadOnlyList<StorePlan> stores, int life) => new()
    {
        Directory = disk.Path,
        Stores = stores,
        Seed = Settings.Seed,
        Life = life,
        Clones = Random.Next(4),
        CheckpointBytes = 64L << (10 + Random.Next(6)),
        SegmentBytes = 64 << (10 + Random.Next(3)),
        IoEngine = Random.Next(4) == 0 ? IoEngine.Threads : IoEngine.Auto,
    };
}
