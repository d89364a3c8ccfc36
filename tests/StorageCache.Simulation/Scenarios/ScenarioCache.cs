using StorageCache.Diagnostics;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios;

/// <summary>The cache of a run, made anew for each process; what the seed draws of it is the same for all of them. Not thread-safe.</summary>
internal sealed class ScenarioCache
{
    /// <summary>Bytes of a page.</summary>
    public const int PageSize = 4096;

    private static readonly PageCacheOptions s_defaults = new();

    private readonly World _world;
    private readonly double _backgroundRatio;
    private readonly bool _inline;
    private readonly int _depth;
    private PageCache? _current;

    /// <param name="world">Where it runs.</param>
    /// <param name="leastSpare">Frames that there are at least, beyond those that a cache cannot do without.</param>
    /// <param name="mostSpare">Such frames that there are at most.</param>
    public ScenarioCache(World world, int leastSpare, int mostSpare)
    {
        _world = world;
        SimulationRandom random = world.Random;
        Memory = CacheCore.LeastMemory(PageSize) + (random.Between(leastSpare, mostSpare) * PageSize);
        _backgroundRatio = random.Between(1, 50) / 100.0;
        _inline = random.PerMille(300);
        _depth = (int)random.Magnitude(1, 32);
    }

    /// <summary>The memory that a process begins with, in bytes. It may have twice as much.</summary>
    public long Memory { get; }

    /// <summary>See <see cref="PageCacheOptions.ReadAheadLimit"/>.</summary>
    public long ReadAheadLimit { get; init; } = s_defaults.ReadAheadLimit;

    /// <summary>See <see cref="PageCacheOptions.StealLimit"/>.</summary>
    public int StealLimit { get; init; } = s_defaults.StealLimit;

    /// <summary>See <see cref="PageCacheOptions.LatchTimeout"/>.</summary>
    public TimeSpan LatchTimeout { get; init; } = s_defaults.LatchTimeout;

    /// <summary>That of this process.</summary>
    public PageCache Current => _current ?? throw new InvalidOperationException("No process has a cache now.");

    /// <summary>Makes that of the next process.</summary>
    public PageCache Begin() => _current = new PageCache(
        new PageCacheOptions
        {
            MemoryLimit = Memory,
            MaximumMemoryLimit = Memory * 2,
            PageSize = PageSize,
            IoEngine = IoEngine.Threads,
            IoThreads = _depth,
            WriteBackDepth = _depth,
            ReadAheadLimit = ReadAheadLimit,
            StealLimit = StealLimit,
            HugePages = false,
            LatchTimeout = LatchTimeout,
            FrameTimeout = TimeSpan.FromSeconds(10),
            DirtyBackgroundRatio = _backgroundRatio,
            DirtyLimitRatio = Math.Min(0.95, _backgroundRatio * 2),
            WriteBackInterval = TimeSpan.FromMilliseconds(_world.Random.Magnitude(10, 1000)),
            AllowSynchronousContinuations = _inline,
            TimeProvider = _world.Clock,
            Threads = _world.Threads,
        },
        new FixedHasher());

    /// <summary>Sees that what the cache does by itself comes to an end, and that its structures agree then; and disposes of it.</summary>
    /// <exception cref="ViolationException">They do not.</exception>
    public async Task EndAsync()
    {
        await BecomeIdleAsync().ConfigureAwait(false);
        await Current.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>The power has gone: gives its memory back. Nothing of the process runs any more, so nothing is in flight.</summary>
    public void Abandon()
    {
        if (_current is { } cache)
        {
            _current = null;
            cache.Core.Discard();
        }
    }

    private async Task BecomeIdleAsync()
    {
        const int TriesAtMost = 1000;
        IReadOnlyList<string> problems = [];
        for (int tries = 0; tries < TriesAtMost; tries++)
        {
            problems = IntegrityCheck.Run(Current.Core);
            if (problems.Count == 0)
            {
                return;
            }

            await _world.PauseAsync().ConfigureAwait(false);
        }

        throw new ViolationException($"The cache's structures do not agree: {string.Join("; ", problems)}.");
    }
}
