using System.Diagnostics;

namespace StorageCache.Tests.Stress.Storms;

/// <summary>One round: workers on both groups of files for some time, then everything is looked at.</summary>
internal sealed class FileStorm : IAsyncDisposable
{
    /// <summary>Pages of each file.</summary>
    public const int Pages = 80;

    /// <summary>What the cache may be made to take, in multiples of the least.</summary>
    public const int MostMemory = 8;

    private const int Workers = 8;

    /// <summary>Of whom so many use the files with a model.</summary>
    private const int ExactWorkers = 5;

    /// <summary>Long enough for a machine that has been suspended.</summary>
    private static readonly TimeSpan s_stuckAfter = TimeSpan.FromMinutes(10);

    private readonly StormSettings _settings;
    private readonly StormCache _cache;
    private readonly ExactFiles _exact;
    private readonly LooseFiles _loose;
    private readonly string _directory;
    private readonly StormWorker[] _workers;
    private long _steps;
    private volatile bool _stop;

    public FileStorm(StormSettings settings, string disk)
    {
        _settings = settings;
        _directory = Path.Combine(disk, $"storm{settings.Seed}");
        _cache = new StormCache(settings);
        _exact = new ExactFiles(_cache, _directory);
        _loose = new LooseFiles(_cache, _directory);
        _workers = [.. Enumerable.Range(0, Workers).Select(number => new StormWorker(number, unchecked((settings.Seed * 100) + number)))];
    }

    /// <summary>What the round has done.</summary>
    public string Summary { get; private set; } = "";

    public async Task RunAsync(TimeSpan time)
    {
        Directory.CreateDirectory(_directory);
        Random random = new(_settings.Seed);
        await _exact.CreateAsync(random);
        await _loose.CreateAsync(random);
        Stopwatch clock = Stopwatch.StartNew();
        Task all = Task.WhenAll(_workers.Select(worker => Task.Factory.StartNew(() => Work(worker, clock, time), TaskCreationOptions.LongRunning)));
        await WaitAsync(all);
        await _exact.AssertAllAsync();
        await _loose.AssertAllAsync();
        await Quiet.CheckAsync(_cache.Cache, "after the storm");
        _cache.AssertLimitIsKept();
        Summary = $"{_steps} steps, {_cache.Cache.GetStatistics()}";
        foreach (Mapping mapping in _cache.Cache.Core.OpenMappings())
        {
            await mapping.CloseAsync();
        }

        await Quiet.CheckAsync(_cache.Cache, "after everything was closed");
        await _cache.DisposeAsync();
        _exact.AssertOnDisk();
        _loose.AssertOnDisk();
    }

    public async ValueTask DisposeAsync()
    {
        await _cache.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private void Work(StormWorker worker, Stopwatch clock, TimeSpan time)
    {
        while (!_stop && clock.Elapsed < time)
        {
            try
            {
                // The worker has this thread to itself and may block it.
                Task step = worker.Number < ExactWorkers ? _exact.StepAsync(worker) : _loose.StepAsync(worker);
                step.GetAwaiter().GetResult();
                _cache.AssertLimitIsKept();
            }
            catch (Exception error)
            {
                _stop = true;
                throw new InvalidOperationException($"{worker}", error);
            }

            Interlocked.Increment(ref _steps);
        }

        worker.Doing = "has ended";
    }

    private async Task WaitAsync(Task all)
    {
        while (true)
        {
            long before = Interlocked.Read(ref _steps);
            if (await Task.WhenAny(all, Task.Delay(s_stuckAfter)) == all)
            {
                await all;
                return;
            }

            if (Interlocked.Read(ref _steps) == before)
            {
                PageOracle.Fail($"nobody gets on: {_settings}\n{string.Join('\n', (object[])_workers)}");
            }
        }
    }
}
