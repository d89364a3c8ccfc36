using StorageCache.Diagnostics;
using StorageCache.IO;
using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Engine;

/// <summary>One seed of <see cref="EngineScenario"/>: a cache after the other on the same files. Not thread-safe.</summary>
internal sealed partial class EngineRun : IScenarioRun
{
    private const int PageSize = 4096;

    private readonly World _world;
    private readonly FileModel[] _files;
    private readonly int[] _weights;
    private readonly long _memory;
    private readonly double _backgroundRatio;
    private readonly bool _inline;
    private readonly int _depth;
    private readonly int _readAhead;
    private readonly int _stealLimit;
    private readonly SharingDomain _domain;
    private PageCache? _cache;
    private long _versions;

    /// <param name="world">Where it runs.</param>
    public EngineRun(World world)
    {
        _world = world;
        SimulationRandom random = world.Random;
        _files = [.. Enumerable.Range(0, random.Between(1, 3)).Select(number => new FileModel(number, (int)random.Magnitude(8, 256)))];
        _weights = [.. s_operations.Select(_ => (int)random.Magnitude(1, 64))];
        _memory = CacheCore.LeastMemory(PageSize) + (random.Between(0, 64) * PageSize);
        _backgroundRatio = random.Between(1, 50) / 100.0;
        _inline = random.PerMille(300);
        _depth = (int)random.Magnitude(1, 32);
        _readAhead = random.PerMille(300) ? 0 : (int)random.Magnitude(PageSize, 1 << 20);
        _stealLimit = random.PerMille(300) ? int.MaxValue : random.Below(10);
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
                StealLimit = _stealLimit,
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
        foreach (FileModel file in _files)
        {
            file.Device = _world.Disk.Open(file.Name);
            file.Recover(isSettled: true);
            await MapAsync(file).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async Task CloseAsync()
    {
        foreach (FileModel file in _files)
        {
            if (file.Mapping.State == MappingState.Failed)
            {
                await ReopenAsync(file).ConfigureAwait(false);
            }

            for (long page = 0; page < file.Mapping.PageCount; page++)
            {
                using PageReadLease lease = await file.Mapping.ReadAsync(page).ConfigureAwait(false);
                file.Check(page, lease.Span);
            }

            long sequence = file.Sequence;
            await file.Mapping.FlushAsync().ConfigureAwait(false);
            file.Flushed(sequence, file.Life);
        }

        await BecomeIdleAsync(_cache!).ConfigureAwait(false);
        await _cache!.DisposeAsync().ConfigureAwait(false);
        foreach (FileModel file in _files)
        {
            file.Recover(isSettled: false);
        }
    }

    /// <inheritdoc/>
    public void Abandon()
    {
        // Nothing of the process runs any more, so nothing is in flight.
        if (_cache is { } cache)
        {
            _cache = null;
            cache.Core.Discard();
        }
    }

    private static async Task<Mapping> OpenAsync(PageCache cache, IBlockDevice device, SharingDomain domain) =>
        await cache.OpenAsync(device, new MappingOptions { SharingDomain = domain }).ConfigureAwait(false);

    private async Task MapAsync(FileModel file)
    {
        file.Mapping = await OpenAsync(_cache!, file.Device, _domain).ConfigureAwait(false);
        file.Life++;
        file.NoteLength();
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
