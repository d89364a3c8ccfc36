using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Engine;

/// <summary>One seed of <see cref="EngineScenario"/>: a cache after the other on the same files. Not thread-safe.</summary>
internal sealed partial class EngineRun : IScenarioRun
{
    private const int PageSize = ScenarioCache.PageSize;

    private readonly World _world;
    private readonly FileModel[] _files;
    private readonly OperationWeights _weights;
    private readonly ScenarioCache _cache;
    private readonly SharingDomain _domain;

    /// <summary>That of all files; null if they have none.</summary>
    private readonly EngineLog? _log;
    private long _versions;

    /// <param name="world">Where it runs.</param>
    public EngineRun(World world)
    {
        _world = world;
        SimulationRandom random = world.Random;
        _files = [.. Enumerable.Range(0, random.Between(1, 3)).Select(number => new FileModel(number, (int)random.Magnitude(8, 256)))];
        _weights = new OperationWeights(random, s_operations.Length);
        _cache = new ScenarioCache(world, leastSpare: 0, mostSpare: 64)
        {
            LatchTimeout = TimeSpan.FromSeconds(20),
            ReadAheadLimit = random.PerMille(300) ? 0 : random.Magnitude(PageSize, 1 << 20),
            StealLimit = random.PerMille(300) ? int.MaxValue : random.Below(10),
        };
        _domain = new SharingDomain("simulated") { SharesExtents = false, SharesContent = random.PerMille(300) };
        _log = random.PerMille(600) ? new EngineLog(world) : null;
    }

    /// <inheritdoc/>
    public async Task OpenAsync()
    {
        _cache.Begin();
        _log?.Begin();
        foreach (FileModel file in _files)
        {
            file.Device = _world.Disk.Open(file.Name);
            if (_log is not null)
            {
                file.Device.Watcher = request => _log.Watch(file, request);
            }

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

        await _cache.EndAsync().ConfigureAwait(false);
        ThrowIfWrittenBeforeLog();
        foreach (FileModel file in _files)
        {
            file.Recover(isSettled: false);
        }
    }

    /// <inheritdoc/>
    public void Abandon() => _cache.Abandon();

    private void ThrowIfWrittenBeforeLog()
    {
        if (_log?.Violation is { } violation)
        {
            throw violation;
        }
    }

    private async Task MapAsync(FileModel file)
    {
        file.Mapping = await _cache.Current.OpenAsync(file.Device, new MappingOptions { SharingDomain = _domain, Log = _log }).ConfigureAwait(false);
        file.Life++;
        file.NoteLength();
    }
}
