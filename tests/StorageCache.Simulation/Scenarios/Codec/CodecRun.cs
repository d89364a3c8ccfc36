using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Codec;

/// <summary>One seed of <see cref="CodecScenario"/>: a cache after the other on the same files. Not thread-safe.</summary>
internal sealed class CodecRun : IScenarioRun
{
    private const int PageSize = ScenarioCache.PageSize;

    private static readonly (string Name, Func<CodecRun, CodecFile, Task> Begin)[] s_operations =
    [
        ("read", static (run, file) => run.WithPage(file, run.ReadAsync)),
        ("write", static (run, file) => run.WithPage(file, run.WriteAsync)),
        ("write-new", static (run, file) => run.WithPage(file, run.WriteNewAsync)),
        ("flush", static (run, file) => run.FlushAsync(file)),
        ("prefetch", static (run, file) => run.Prefetch(file)),
        ("drop", static (run, file) => run.Drop(file)),
    ];

    private readonly World _world;
    private readonly CodecFile[] _files;
    private readonly OperationWeights _weights;
    private readonly ScenarioCache _cache;
    private readonly SharingDomain _domain;
    private long _versions;

    /// <param name="world">Where it runs.</param>
    public CodecRun(World world)
    {
        _world = world;
        SimulationRandom random = world.Random;
        _files = [.. Enumerable.Range(0, random.Between(1, 2)).Select(number => new CodecFile(number, (int)random.Magnitude(8, 256)))];
        _weights = new OperationWeights(random, s_operations.Length);
        _cache = new ScenarioCache(world, leastSpare: 0, mostSpare: 64)
        {
            LatchTimeout = TimeSpan.FromSeconds(20),
            ReadAheadLimit = random.PerMille(300) ? 0 : random.Magnitude(PageSize, 1 << 20),
        };
        _domain = new SharingDomain("simulated") { SharesExtents = false, SharesContent = random.PerMille(300) };
    }

    /// <inheritdoc/>
    public async Task OpenAsync()
    {
        PageCache cache = _cache.Begin();
        foreach (CodecFile file in _files)
        {
            file.Device = _world.Disk.Open(file.Name);
            file.LosePower();
            while (!await TryMakeLongAsync(file).ConfigureAwait(false))
            {
                await _world.PauseAsync().ConfigureAwait(false);
            }

            file.Mapping = await cache.OpenAsync(file.Device, new MappingOptions { SharingDomain = _domain, Codec = file.Codec }).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public Operation? BeginOperation()
    {
        CodecFile file = _world.Random.Pick(_files);
        int which = _weights.Next();
        return new Operation($"{s_operations[which].Name} {file.Name}", s_operations[which].Begin(this, file));
    }

    /// <inheritdoc/>
    public async Task CloseAsync()
    {
        foreach (CodecFile file in _files)
        {
            for (long page = 0; page < file.Pages; page++)
            {
                await ReadAsync(file, page).ConfigureAwait(false);
            }

            await file.Mapping.FlushAsync().ConfigureAwait(false);
        }

        await _cache.EndAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Abandon() => _cache.Abandon();

    /// <summary>Gives a file its length, durably, before it has pages. Returns false if the disk fails.</summary>
    private static async Task<bool> TryMakeLongAsync(CodecFile file)
    {
        long length = (long)file.Pages * PageSize;
        if (file.Device.Platter.DurableLength == length)
        {
            return true;
        }

        try
        {
            await file.Device.SetLengthAsync(length, CancellationToken.None).ConfigureAwait(false);
            await file.Device.FlushAsync().ConfigureAwait(false);

            // The flush may have been a lie, and what is cut off later would not be damaged, but gone.
            return file.Device.Platter.DurableLength == length;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private Task WithPage(CodecFile file, Func<CodecFile, long, Task> act) => act(file, _world.Random.Below(file.Pages));

    private async Task ReadAsync(CodecFile file, long page)
    {
        await OutcomeOf(file, page, async () =>
        {
            using PageReadLease lease = await file.Mapping.ReadAsync(page).ConfigureAwait(false);
            file.Check(page, lease.Span);
            await MaybePauseAsync().ConfigureAwait(false);
            file.Check(page, lease.Span);
        }).ConfigureAwait(false);
    }

    private async Task WriteAsync(CodecFile file, long page)
    {
        await OutcomeOf(file, page, async () =>
        {
            using PageWriteLease lease = await file.Mapping.WriteAsync(page).ConfigureAwait(false);
            file.Check(page, lease.Span);
            await ChangeAsync(file, page, lease).ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    /// <summary>What a page that is corrupt is mended with.</summary>
    private async Task WriteNewAsync(CodecFile file, long page)
    {
        await OutcomeOf(file, page, async () =>
        {
            using PageWriteLease lease = await file.Mapping.WriteNewAsync(page).ConfigureAwait(false);
            await ChangeAsync(file, page, lease).ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    private async Task ChangeAsync(CodecFile file, long page, PageWriteLease lease)
    {
        long version = ++_versions;
        file.Write(page, lease.Span, version);
        lease.MarkDirty();
        await MaybePauseAsync().ConfigureAwait(false);

        // The lease is returned next, and nothing happens in between.
        file.Change(page, version);
    }

    private async Task FlushAsync(CodecFile file)
    {
        long sequence = file.Sequence;
        await OutcomeOf(file, page: -1, async () =>
        {
            await file.Mapping.FlushAsync().ConfigureAwait(false);
            file.Flushed(sequence);
        }).ConfigureAwait(false);
    }

    private Task Prefetch(CodecFile file)
    {
        file.Mapping.Prefetch(_world.Random.Below(file.Pages), _world.Random.Between(1, 16));
        return Task.CompletedTask;
    }

    private Task Drop(CodecFile file)
    {
        file.Mapping.DontNeed(_world.Random.Below(file.Pages), _world.Random.Between(1, 64));
        return Task.CompletedTask;
    }

    private Task MaybePauseAsync() => _world.Random.PerMille(500) ? _world.PauseAsync() : Task.CompletedTask;

    /// <summary>Runs something that may fail if the disk has given cause for it.</summary>
    private async Task OutcomeOf(CodecFile file, long page, Func<Task> act)
    {
        bool mayBeCorrupt = page >= 0 && file.MayBeCorrupt(page);
        long changed = page >= 0 ? file.ChangedAt(page) : 0;
        try
        {
            await act().ConfigureAwait(false);
        }
        catch (PageCacheException error)
        {
            bool isCaused = error switch
            {
                // Who has changed it since has mended it, maybe.
                PageCorruptException => page >= 0 && (mayBeCorrupt || file.MayBeCorrupt(page) || file.ChangedAt(page) != changed),
                PageReadException => _world.Disk.HasStruck(Fault.ReadError, Fault.ShortRead),
                PageWriteException => _world.Disk.HasStruck(Fault.WriteError, Fault.TornWrite, Fault.ShortWrite),

                // Pages that the disk does not take, or not give, are in the way of others.
                CacheFullException or LatchTimeoutException => true,
                _ => false,
            };
            if (!isCaused)
            {
                throw ViolationException.Uncaused(error, page >= 0 ? file.Describe(page) : string.Empty);
            }
        }
    }
}
