using StorageCache.Diagnostics;
using StorageCache.IO;
using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Codec;

/// <summary>One seed of <see cref="CodecScenario"/>: a cache after the other on the same files. Not thread-safe.</summary>
internal sealed class CodecRun : IScenarioRun
{
    private const int PageSize = 4096;

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
    private readonly int[] _weights;
    private readonly long _memory;
    private readonly double _backgroundRatio;
    private readonly bool _inline;
    private readonly int _depth;
    private readonly int _readAhead;
    private readonly SharingDomain _domain;
    private PageCache? _cache;
    private long _versions;

    /// <param name="world">Where it runs.</param>
    public CodecRun(World world)
    {
        _world = world;
        SimulationRandom random = world.Random;
        _files = [.. Enumerable.Range(0, random.Between(1, 2)).Select(number => new CodecFile(number, (int)random.Magnitude(8, 256)))];
        _weights = [.. s_operations.Select(_ => (int)random.Magnitude(1, 64))];
        _memory = CacheCore.LeastMemory(PageSize) + (random.Between(0, 64) * PageSize);
        _backgroundRatio = random.Between(1, 50) / 100.0;
        _inline = random.PerMille(300);
        _depth = (int)random.Magnitude(1, 32);
        _readAhead = random.PerMille(300) ? 0 : (int)random.Magnitude(PageSize, 1 << 20);
        _domain = new SharingDomain("simulated") { SharesExtents = false, SharesContent = random.PerMille(300) };
    }

    /// <inheritdoc/>
    public async Task OpenAsync()
    {
        _cache = new PageCache(
            new PageCacheOptions
            {
                MemoryLimit = _memory,
                MaximumMemoryLimit = _memory * 2,
                PageSize = PageSize,
                IoEngine = IoEngine.Threads,
                IoThreads = _depth,
                WriteBackDepth = _depth,
                ReadAheadLimit = _readAhead,
                HugePages = false,
                LatchTimeout = TimeSpan.FromSeconds(20),
                FrameTimeout = TimeSpan.FromSeconds(10),
                DirtyBackgroundRatio = _backgroundRatio,
                DirtyLimitRatio = Math.Min(0.95, _backgroundRatio * 2),
                WriteBackInterval = TimeSpan.FromMilliseconds(_world.Random.Magnitude(10, 1000)),
                AllowSynchronousContinuations = _inline,
                TimeProvider = _world.Clock,
                Threads = _world.Threads,
            },
            new FixedHasher());
        foreach (CodecFile file in _files)
        {
            file.Device = _world.Disk.Open(file.Name);
            file.LosePower();
            while (!await TryMakeLongAsync(file).ConfigureAwait(false))
            {
                await _world.PauseAsync().ConfigureAwait(false);
            }

            file.Mapping = await _cache.OpenAsync(file.Device, new MappingOptions { SharingDomain = _domain, Codec = file.Codec }).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public Operation? BeginOperation()
    {
        CodecFile file = _world.Random.Pick(_files);
        int drawn = _world.Random.Below(_weights.Sum());
        int which = 0;
        while (drawn >= _weights[which])
        {
            drawn -= _weights[which++];
        }

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

        await BecomeIdleAsync(_cache!).ConfigureAwait(false);
        await _cache!.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Abandon()
    {
        if (_cache is { } cache)
        {
            _cache = null;
            cache.Core.Discard();
        }
    }

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
            return true;
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
                PageReadException => HasStruck(Fault.ReadError, Fault.ShortRead),
                PageWriteException => HasStruck(Fault.WriteError, Fault.TornWrite, Fault.ShortWrite),

                // Pages that the disk does not take, or not give, are in the way of others.
                CacheFullException or LatchTimeoutException => true,
                _ => false,
            };
            if (!isCaused)
            {
                throw new ViolationException($"An error that nothing has caused: {error}{(page >= 0 ? $"; {file.Describe(page)}" : string.Empty)}");
            }
        }
    }

    private bool HasStruck(params ReadOnlySpan<Fault> faults)
    {
        foreach (Fault fault in faults)
        {
            if (_world.Disk.Strikes.ContainsKey(fault))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>What the cache does by itself comes to an end, and leaves nothing behind.</summary>
    private async Task BecomeIdleAsync(PageCache cache)
    {
        const int TriesAtMost = 1000;
        IReadOnlyList<string> problems = [];
        for (int tries = 0; tries < TriesAtMost; tries++)
        {
            problems = IntegrityCheck.Run(cache.Core);
            if (problems.Count == 0)
            {
                return;
            }

            await _world.PauseAsync().ConfigureAwait(false);
        }

        throw new ViolationException($"The cache's structures do not agree: {string.Join("; ", problems)}.");
    }
}
