using System.Globalization;
using StorageCache.KeyValueStore.Crash.Reports;

namespace StorageCache.KeyValueStore.Crash.Work;

/// <summary>The process that is killed: opens stores, says what is in them, and changes them, saying everything before and after it is done.</summary>
internal sealed class Worker(LifePlan plan, ReportWriter reports) : IAsyncDisposable
{
    private readonly PageCache _cache = new(new PageCacheOptions
    {
        MemoryLimit = plan.CacheBytes,
        IoEngine = plan.IoEngine,
        WriteBackInterval = TimeSpan.FromMilliseconds(50),
    });

    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly List<StoreLoad> _loads = [];
    private readonly List<Task> _running = [];

    /// <summary>Numbers of this life begin here: versions and operations are told apart by them.</summary>
    private long _numbers = (long)plan.Life << 32;
    private int _clones;

    public LifePlan Plan => plan;

    public PageCache Cache => _cache;

    public CancellationToken Stopped => _stop.Token;

    public ReportWriter Reports => reports;

    /// <summary>A number that nothing else has, in no life.</summary>
    public long NextNumber() => Interlocked.Increment(ref _numbers);

    /// <summary>Works until the input ends, and closes the stores.</summary>
    public async Task RunAsync(Stream input)
    {
        Task ended = StopAtEndAsync(input);
        foreach (StorePlan store in plan.Stores)
        {
            StoreLoad load = new(this, store.Name, store.Durability, NewSeed());
            if (await load.OpenAsync(store.IsNew).ConfigureAwait(false))
            {
                _loads.Add(load);
            }
        }

        // Now and then of stores that nobody has changed since they were opened.
        Random random = new(NewSeed());
        if (random.Next(3) == 0)
        {
            await CloneAsync(random).ConfigureAwait(false);
        }

        _running.AddRange(_loads.Select(static load => Task.Run(load.RunAsync)));
        Task cloning = Task.Run(() => CloneAllAsync(random));
        await ended.ConfigureAwait(false);
        await cloning.ConfigureAwait(false);
        await Task.WhenAll(_running).ConfigureAwait(false);
        reports.Write(new Report(ReportKind.Closing));
        await Task.WhenAll(_loads.Select(static load => load.CloseAsync())).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await _cache.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    /// <summary>An error as it is counted: what differs from one time to the next is left out.</summary>
    public string Describe(Exception exception)
    {
        string causes = exception.GetType().Name;
        Exception last = exception;
        while (last.InnerException is { } inner)
        {
            last = inner;
            causes += " < " + last.GetType().Name;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{causes}: {new string([.. last.Message.Replace(plan.Directory, "", StringComparison.Ordinal).Where(static letter => !char.IsDigit(letter))])}");
    }

    private async Task StopAtEndAsync(Stream input)
    {
        await input.CopyToAsync(Stream.Null).ConfigureAwait(false);
        await _stop.CancelAsync().ConfigureAwait(false);
    }

    private int NewSeed() => HashCode.Combine(plan.Seed, plan.Life, NextNumber());

    private async Task CloneAllAsync(Random random)
    {
        while (!_stop.IsCancellationRequested && _clones < plan.Clones)
        {
            try
            {
                await Task.Delay(random.Next(200), _stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            if (await CloneAsync(random).ConfigureAwait(false) is { } clone)
            {
                _running.Add(Task.Run(clone.RunAsync));
            }
        }
    }

    private async Task<StoreLoad?> CloneAsync(Random random)
    {
        StoreLoad source;
        lock (_lock)
        {
            if (_loads.Count == 0 || _clones >= plan.Clones)
            {
                return null;
            }

            source = _loads[random.Next(_loads.Count)];
        }

        StoreLoad? clone = await source.CloneAsync(string.Create(CultureInfo.InvariantCulture, $"clone-{plan.Life}-{_clones++}"), NewSeed()).ConfigureAwait(false);
        if (clone is not null)
        {
            lock (_lock)
            {
                _loads.Add(clone);
            }
        }

        return clone;
    }
}
