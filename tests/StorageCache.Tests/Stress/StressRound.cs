using StorageCache.Mappings;
using StorageCache.Tests.IO;

namespace StorageCache.Tests.Stress;

/// <summary>
/// One round: threads and tasks that do random things to self-describing pages of two files for a while; then quiet, the
/// integrity check, and every page compared with the device.
/// </summary>
internal sealed partial class StressRound : IAsyncDisposable
{
    private const int Files = 2;
    private const int Threads = 3;
    private const int Tasks = 5;

    private readonly StressConfiguration _configuration;
    private readonly ScratchDirectory _directory = new();
    private readonly PageCache _cache;
    private readonly UnreliableDevice[] _devices = new UnreliableDevice[Files];
    private readonly Mapping[] _mappings = new Mapping[Files];
    private readonly PageOracle[] _oracles = new PageOracle[Files];
    private readonly long[] _progress = new long[Threads + Tasks];
    private readonly string?[] _doing = new string?[Threads + Tasks];
    private long _deadline;

    public StressRound(StressConfiguration configuration)
    {
        _configuration = configuration;
        _cache = new PageCache(new PageCacheOptions
        {
            PageSize = configuration.PageSize,
            MemoryLimit = Limit(configuration.Frames),
            MaximumMemoryLimit = Limit(configuration.Frames * 4),
            StealLimit = configuration.StealLimit,
            AllowSynchronousContinuations = configuration.SynchronousContinuations,
            FrameTimeout = TimeSpan.FromSeconds(20),
            WriteBackInterval = TimeSpan.FromMilliseconds(20),
            IoThreads = 4,
            IoEngine = configuration.Engine,
            IoQueueDepth = configuration.QueueDepth,
            RegisterMemory = configuration.RegistersMemory,
            Guarded = configuration.IsGuarded,
        });
        for (int file = 0; file < Files; file++)
        {
            _devices[file] = new UnreliableDevice(configuration.Seed + file, configuration.Failures);
            _oracles[file] = new PageOracle(file + 1, configuration.Pages, configuration.StablePages);
        }
    }

    public PageCacheStatistics Statistics => _cache.GetStatistics();

    public async Task RunAsync(TimeSpan time)
    {
        for (int file = 0; file < Files; file++)
        {
            await OpenAsync(file);
            await _mappings[file].ExtendAsync(_configuration.StablePages * (long)_configuration.PageSize);
        }

        _deadline = Environment.TickCount64 + (long)time.TotalMilliseconds;
        Array.Fill(_progress, Environment.TickCount64);
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(i => new Thread(() => WorkBlocking(i)))];
        Array.ForEach(threads, thread => thread.Start());
        Task[] tasks = [.. Enumerable.Range(Threads, Tasks).Select(i => Task.Run(() => WorkAsync(i)))];
        Task all = Task.WhenAll([.. tasks, Task.Run(() => Array.ForEach(threads, thread => thread.Join()))]);
        Task closing = _configuration.ClosesUnderLoad ? CloseUnderLoadAsync(time) : Task.CompletedTask;
        while (await Task.WhenAny(all, Task.Delay(1000)) != all)
        {
            FailIfStuck();
        }

        await all;
        await closing;
        await SettleAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _cache.DisposeAsync();
        _directory.Dispose();
    }

    private long Limit(int frames) =>
        CacheCore.LeastMemory(_configuration.PageSize) + (Math.Max(0, frames - 64) * (long)(_configuration.PageSize + 256));

    private async Task OpenAsync(int file)
    {
        _mappings[file] = _configuration.OnFiles
            ? await _cache.OpenAsync(_directory.File($"file{file}"))
            : await _cache.OpenAsync(_devices[file]);
    }

    private async Task CloseUnderLoadAsync(TimeSpan time)
    {
        await Task.Delay(time * 0.7);
        foreach (UnreliableDevice device in _devices)
        {
            device.Failures = 0;
        }

        foreach (Mapping mapping in _mappings)
        {
            await RetryAsync(() => mapping.CloseAsync());
        }

        Volatile.Write(ref _deadline, 0);
    }

    /// <summary>Everything is written on a device that behaves, closed, opened again, and compared.</summary>
    private async Task SettleAsync()
    {
        foreach (UnreliableDevice device in _devices)
        {
            device.Failures = 0;
        }

        if (!_configuration.ClosesUnderLoad)
        {
            foreach (Mapping mapping in _mappings)
            {
                await RetryAsync(() => mapping.FlushAsync());
            }

            await Quiet.CheckAsync(_cache, "after the flush");
            await CompareAsync("in the cache");
            foreach (Mapping mapping in _mappings)
            {
                await RetryAsync(() => mapping.CloseAsync());
            }
        }

        await Quiet.CheckAsync(_cache, "after the close");
        if (_cache.Core.PageTables.Leaves != 0 || _cache.Core.PageTables.Nodes != 0 || _cache.Core.Heads.InUse != 0)
        {
            PageOracle.Fail($"{_cache.Core.PageTables.Leaves} leaves, {_cache.Core.PageTables.Nodes} nodes and {_cache.Core.Heads.InUse} heads are left after everything was closed");
        }

        for (int file = 0; file < Files; file++)
        {
            await OpenAsync(file);
        }

        await CompareAsync("on the device");
        await Quiet.CheckAsync(_cache, "after the comparison");
    }

    private static async Task RetryAsync(Func<ValueTask> action)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                await action();
                return;
            }
            catch (Exception error) when (attempt < 20 && error is PageWriteException or MappingBusyException)
            {
                await Task.Delay(20);
            }
        }
    }

    private async Task CompareAsync(string where)
    {
        for (int file = 0; file < Files; file++)
        {
            for (long page = 0; page < _mappings[file].PageCount && page < _configuration.Pages; page++)
            {
                (long, long) floor = _oracles[file].Floor(page);
                using PageReadLease lease = await _mappings[file].ReadAsync(page);
                _oracles[file].Check(page, lease.Span, floor, where);
            }
        }
    }
}
