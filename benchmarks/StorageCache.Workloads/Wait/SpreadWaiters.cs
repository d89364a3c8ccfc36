using System.Runtime.CompilerServices;
using StorageCache.Workloads.Devices;
using StorageCache.Workloads.Hit;

namespace StorageCache.Workloads.Wait;

/// <summary>Waiters spread over the pages of a cache, one to a page. Used from one thread.</summary>
internal sealed class SpreadWaiters : ISpread, IAsyncDisposable
{
    private const int PageSize = 4096;
    private const int BytesPerPage = PageSize + 512; // room for what the cache keeps beside a page
    private const long MetadataRoom = 16L << 20;

    private readonly PageCache _cache;
    private readonly Mapping _mapping;
    private readonly WakeTimer _timer = new();
    private readonly Random _random = new(3);
    private readonly PageWriteLease[] _held;
    private readonly ValueTask<PageReadLease>[] _parked;
    private readonly int _targets;
    private int _nextTarget;

    private SpreadWaiters(PageCache cache, Mapping mapping, int parked, int targets)
    {
        _cache = cache;
        _mapping = mapping;
        _targets = targets;
        _held = new PageWriteLease[parked];
        _parked = new ValueTask<PageReadLease>[parked];

        // The page that a load brings wakes whoever waits for it; no load is to be among the wakes that are measured.
        for (int page = parked; page < parked + targets; page++)
        {
            mapping.Read(page).Dispose();
        }

        foreach (int page in PageSequence.Permutation(parked, seed: 13))
        {
            Park(page);
        }
    }

    /// <summary>Parks the waiters, in random order.</summary>
    /// <param name="parked">How many wait, each for a page that somebody holds.</param>
    /// <param name="targets">How many further pages are waited for and woken in turn.</param>
    public static async Task<SpreadWaiters> CreateAsync(int parked, int targets)
    {
        long pages = parked + targets;
        PageCache cache = new(new PageCacheOptions
        {
            MemoryLimit = (pages * BytesPerPage) + MetadataRoom,
            PageSize = PageSize,
            AllowSynchronousContinuations = true,
        });
        Mapping mapping = await cache.OpenAsync(new StampedDevice(pages * PageSize, PageSize));
        return new SpreadWaiters(cache, mapping, parked, targets);
    }

    /// <inheritdoc/>
    public WakeResult Wake(int wakes)
    {
        PageCacheStatistics before = _cache.GetStatistics();
        _timer.Begin();
        for (int i = 0; i < wakes; i++)
        {
            int page = _held.Length + (_nextTarget++ % _targets);
            PageWriteLease lease = _mapping.Write(page);
            ConfiguredValueTaskAwaitable<PageReadLease>.ConfiguredValueTaskAwaiter waiter = Await(_mapping.ReadAsync(page));
            _timer.Start();
            lease.Dispose();
            _timer.Record();
            waiter.GetResult().Dispose();
        }

        _timer.End();
        return _timer.Result(ExaminedPerWake(before, wakes));
    }

    /// <summary>
    /// Wakes waiters that have been parked for long, in random order, and parks each again: the page, its head and its
    /// waiter come from wherever the processor has them.
    /// </summary>
    public WakeResult WakeParked(int wakes)
    {
        PageCacheStatistics before = _cache.GetStatistics();
        _timer.Begin();
        for (int i = 0; i < wakes; i++)
        {
            int page = _random.Next(_held.Length);
            _timer.Start();
            _held[page].Dispose();
            _timer.Record();
            _parked[page].GetAwaiter().GetResult().Dispose();
            Park(page);
        }

        _timer.End();
        return _timer.Result(ExaminedPerWake(before, wakes));
    }

    /// <summary>Lets everyone go, and checks that nobody was forgotten.</summary>
    public async ValueTask DisposeAsync()
    {
        for (int page = 0; page < _held.Length; page++)
        {
            _held[page].Dispose();
            if (!_parked[page].IsCompletedSuccessfully)
            {
                throw new WorkloadFailedException($"the waiter for page {page} was not woken.");
            }

            _parked[page].GetAwaiter().GetResult().Dispose();
        }

        await _mapping.DisposeAsync();
        await _cache.DisposeAsync();
    }

    private void Park(int page)
    {
        _held[page] = _mapping.Write(page);
        _parked[page] = _mapping.ReadAsync(page);
        Await(_parked[page]);
    }

    private ConfiguredValueTaskAwaitable<PageReadLease>.ConfiguredValueTaskAwaiter Await(ValueTask<PageReadLease> pending)
    {
        ConfiguredValueTaskAwaitable<PageReadLease>.ConfiguredValueTaskAwaiter awaiter = pending.ConfigureAwait(false).GetAwaiter();
        if (awaiter.IsCompleted)
        {
            throw new WorkloadFailedException("a read of a page that is exclusively held did not wait.");
        }

        awaiter.UnsafeOnCompleted(_timer.Continuation);
        return awaiter;
    }

    private double ExaminedPerWake(PageCacheStatistics before, int wakes)
    {
        PageCacheStatistics after = _cache.GetStatistics();
        if (after.Wakes - before.Wakes != wakes)
        {
            throw new WorkloadFailedException($"the cache counted {after.Wakes - before.Wakes} wakes, not {wakes}.");
        }

        return (double)(after.WaitersExamined - before.WaitersExamined) / wakes;
    }
}
