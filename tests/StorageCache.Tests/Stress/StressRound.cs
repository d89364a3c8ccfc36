using System.Globalization;
using System.Text;
using StorageCache.Buffers;
using StorageCache.IO;
using StorageCache.Mappings;
using StorageCache.Tests.IO;

namespace StorageCache.Tests.Stress;

/// <summary>What one round of the parallel stress runs on.</summary>
internal sealed record StressConfiguration
{
    public required int Seed { get; init; }

    public int PageSize { get; init; } = 4096;

    public int Pages { get; init; } = 400;

    public int StablePages { get; init; } = 200;

    /// <summary>The memory limit, in pages; metadata comes on top.</summary>
    public int Frames { get; init; } = 80;

    public int StealLimit { get; init; } = 8;

    public bool SynchronousContinuations { get; init; }

    public double Failures { get; init; }

    public bool OnFiles { get; init; }

    public bool Truncates { get; init; }

    public bool Resizes { get; init; }

    /// <summary>Whether the mappings are closed while the workers are still at it.</summary>
    public bool ClosesUnderLoad { get; init; }
}

/// <summary>
/// One round: threads and tasks that do random things to self-describing pages of two files for a while; then quiet, the
/// integrity check, and every page compared with the device.
/// </summary>
internal sealed class StressRound : IAsyncDisposable
{
    private const int Files = 2;
    private const int Threads = 3;
    private const int Tasks = 5;
    private static readonly TimeSpan s_stuckAfter = TimeSpan.FromSeconds(30);

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

    private void FailIfStuck()
    {
        long now = Environment.TickCount64;
        for (int i = 0; i < _progress.Length; i++)
        {
            if (now - Volatile.Read(ref _progress[i]) > s_stuckAfter.TotalMilliseconds)
            {
                PageOracle.Fail($"worker {i} has been stuck in '{_doing[i]}' for {s_stuckAfter.TotalSeconds:0} s\n{_configuration}\n{Describe()}");
            }
        }
    }

    /// <summary>All that may tell why somebody hangs.</summary>
    private unsafe string Describe()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{_cache.GetStatistics()}");
        text.AppendLine(CultureInfo.InvariantCulture, $"waiters {_cache.Core.Waiters.InUse}, loads {_cache.Core.Loads.InUse}, writes {_cache.Core.WriteBack.InUse}, frame queue {_cache.Core.FrameQueue.Count}, permits {_cache.Core.WriteBack.Permits.Available}, free frames {_cache.Core.Frames.Available}, excess {_cache.Core.Frames.Excess}, throttling {_cache.Core.WriteBack.Throttle.IsActive}, device {string.Join('+', _devices.Select(device => device.Pending))}");
        for (int i = 0; i < _doing.Length; i++)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"worker {i}: {_doing[i]}, {Environment.TickCount64 - _progress[i]} ms ago");
        }

        foreach (Mapping mapping in _mappings)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{mapping.Path}: {mapping.State}, {mapping.Length} bytes, {mapping.ResidentPages} resident, {mapping.DirtyPages} dirty");
            for (long page = 0; page < _configuration.Pages; page++)
            {
                Slot* slot = mapping.Table.Find(page);
                ulong state = slot == null ? 0 : StateWord.Load(slot);
                if ((state & (StateWord.SharedMask | StateWord.Exclusive | StateWord.Loading | StateWord.WriteBack | StateWord.Protected | StateWord.HasWaiters | StateWord.ListLock)) != 0)
                {
                    BufferHead* head = _cache.Core.Heads[slot->Head];
                    text.AppendLine(CultureInfo.InvariantCulture, $"  page {page}: state {state:x16}, frame {slot->Frame}, first waiter {head->Waiters}, pins {head->Pins}");
                }
            }
        }

        return text.ToString();
    }

    private static bool IsExpected(Exception error) => error is PageReadException or PageWriteException or PageTruncatedException
        or CacheFullException or LatchTimeoutException or OperationCanceledException or MappingClosedException or MappingBusyException;

    private void WorkBlocking(int worker)
    {
        var random = new Random((_configuration.Seed * 101) + worker);
        while (Environment.TickCount64 < Volatile.Read(ref _deadline))
        {
            Volatile.Write(ref _progress[worker], Environment.TickCount64);
            int file = random.Next(Files);
            try
            {
                StepBlocking(worker, random, _mappings[file], _oracles[file], PickPage(random));
            }
            catch (Exception error) when (IsExpected(error))
            {
                Ended(error);
            }
            catch (Exception error)
            {
                PageOracle.Fail($"worker {worker}, {_doing[worker]}: {error}");
            }
        }

        Volatile.Write(ref _progress[worker], long.MaxValue);
    }

    private async Task WorkAsync(int worker)
    {
        var random = new Random((_configuration.Seed * 103) + worker);
        while (Environment.TickCount64 < Volatile.Read(ref _deadline))
        {
            Volatile.Write(ref _progress[worker], Environment.TickCount64);
            int file = random.Next(Files);
            try
            {
                await StepAsync(worker, random, _mappings[file], _oracles[file], PickPage(random));
            }
            catch (Exception error) when (IsExpected(error))
            {
                Ended(error);
            }
            catch (Exception error)
            {
                PageOracle.Fail($"worker {worker}, {_doing[worker]}: {error}");
            }

            if (random.Next(16) == 0)
            {
                await Task.Yield();
            }
        }

        Volatile.Write(ref _progress[worker], long.MaxValue);
    }

    private void Ended(Exception error)
    {
        if (error is PageReadException or PageWriteException && _configuration.Failures == 0)
        {
            PageOracle.Fail($"a perfect device failed: {error}");
        }

        if (error is MappingClosedException && !_configuration.ClosesUnderLoad)
        {
            PageOracle.Fail($"nobody closed anything: {error}");
        }
    }

    private long PickPage(Random random)
    {
        // A few hot pages, so that workers meet.
        int reach = _configuration.Truncates ? _configuration.Pages : _configuration.StablePages;
        return random.Next(3) == 0 ? random.Next(4) : random.Next(reach);
    }

    private void StepBlocking(int worker, Random random, Mapping mapping, PageOracle oracle, long page)
    {
        (long, long) floor = oracle.Floor(page);
        switch (random.Next(12))
        {
            case 0 or 1:
                _doing[worker] = $"Read {page}";
                using (PageReadLease lease = mapping.Read(page))
                {
                    oracle.Check(page, lease.Span, floor, "read");
                }

                break;
            case 2:
                _doing[worker] = $"Read {page} with time-out";
                using (PageReadLease lease = mapping.Read(page, TimeSpan.FromMilliseconds(1 + random.Next(10))))
                {
                    oracle.Check(page, lease.Span, floor, "read in time");
                }

                break;
            case 3 or 4:
                _doing[worker] = $"Write {page}";
                long epoch = oracle.Epoch;
                using (PageWriteLease lease = random.Next(4) == 0 ? mapping.Write(page, TimeSpan.FromMilliseconds(1 + random.Next(10))) : mapping.Write(page))
                {
                    Change(oracle, page, lease, floor, epoch, "written");
                }

                break;
            case 5 or 6:
                _doing[worker] = $"ReadOptimistic {page}";
                Peek(oracle, page, mapping.ReadOptimistic(page), floor, "read optimistically");
                break;
            case 7:
                _doing[worker] = $"Pin {page}";
                using (PagePin pin = mapping.Pin(page))
                {
                    UsePin(random, oracle, page, pin, floor);
                }

                break;
            case 8:
                _doing[worker] = $"WriteNew {page}";
                Renew(random, mapping, oracle, page);
                break;
            case 9:
                _doing[worker] = $"Prefetch {page}";
                mapping.Prefetch(page, random.Next(40));
                break;
            default:
                _doing[worker] = $"Try {page}";
                Try(random, mapping, oracle, page, floor);
                break;
        }
    }

    private async Task StepAsync(int worker, Random random, Mapping mapping, PageOracle oracle, long page)
    {
        (long, long) floor = oracle.Floor(page);
        using CancellationTokenSource? source = random.Next(6) == 0 ? new CancellationTokenSource() : null;
        if (source is not null)
        {
            source.CancelAfter(TimeSpan.FromMilliseconds(random.Next(4)));
        }

        CancellationToken token = source?.Token ?? default;
        switch (random.Next(100))
        {
            case < 25:
                _doing[worker] = $"ReadAsync {page}";
                using (PageReadLease lease = await mapping.ReadAsync(page, token))
                {
                    oracle.Check(page, lease.Span, floor, "read");
                    if (random.Next(8) == 0)
                    {
                        await Task.Yield();
                        oracle.Check(page, lease.Span, floor, "read and held");
                    }
                }

                break;
            case < 50:
                _doing[worker] = $"WriteAsync {page}";
                long epoch = oracle.Epoch;
                using (PageWriteLease lease = random.Next(4) == 0
                    ? await mapping.WriteAsync(page, TimeSpan.FromMilliseconds(1 + random.Next(10)), token)
                    : await mapping.WriteAsync(page, token))
                {
                    Change(oracle, page, lease, floor, epoch, "written");
                    if (random.Next(8) == 0)
                    {
                        await Task.Yield();
                    }
                }

                break;
            case < 60:
                _doing[worker] = $"ReadOptimisticAsync {page}";
                Peek(oracle, page, await mapping.ReadOptimisticAsync(page, token), floor, "read optimistically");
                break;
            case < 70:
                _doing[worker] = $"PinAsync {page}";
                using (PagePin pin = await mapping.PinAsync(page, token))
                {
                    await Task.Yield();
                    UsePin(random, oracle, page, pin, floor);
                }

                break;
            case < 78:
                _doing[worker] = $"WriteNewAsync {page}";
                await RenewAsync(mapping, oracle, page, token);
                break;
            case < 82:
                _doing[worker] = "FlushAsync";
                await FlushAsync(mapping, oracle, token);
                break;
            case < 85:
                _doing[worker] = $"Prefetch {page}";
                mapping.Prefetch(page, random.Next(40));
                break;
            case 85 when _configuration.Truncates:
                _doing[worker] = "TruncateAsync";
                await TruncateAsync(random, mapping, oracle, token);
                break;
            case 86 when _configuration.Truncates:
                _doing[worker] = "ExtendAsync";
                await mapping.ExtendAsync(random.Next(_configuration.Pages) * (long)_configuration.PageSize, token);
                break;
            case 87 when _configuration.Resizes && random.Next(4) == 0:
                _doing[worker] = "ResizeAsync";
                await _cache.ResizeAsync(Limit(64 + random.Next(_configuration.Frames * 2)), token);
                break;
            default:
                _doing[worker] = $"Try {page}";
                Try(random, mapping, oracle, page, floor);
                break;
        }
    }

    private static void Change(PageOracle oracle, long page, PageWriteLease lease, (long Version, long Epoch) floor, long epoch, string how)
    {
        long version = oracle.Check(page, lease.Span, floor, how);
        oracle.Write(page, lease.Span, version + 1);
        lease.MarkDirty();
        oracle.Raise(page, version + 1, epoch);
    }

    private static void Peek(PageOracle oracle, long page, OptimisticRead read, (long Version, long Epoch) floor, string how)
    {
        byte[] copy = read.Span.ToArray();
        if (read.Validate())
        {
            oracle.Check(page, copy, floor, how);
        }
    }

    private static void UsePin(Random random, PageOracle oracle, long page, PagePin pin, (long Version, long Epoch) floor)
    {
        long epoch = oracle.Epoch;
        switch (random.Next(3))
        {
            case 0 when pin.TryRead(out PageReadLease lease):
                using (lease)
                {
                    oracle.Check(page, lease.Span, floor, "read through a pin");
                }

                break;
            case 1 when pin.TryWrite(out PageWriteLease lease):
                using (lease)
                {
                    Change(oracle, page, lease, floor, epoch, "written through a pin");
                }

                break;
            case 2 when pin.TryReadOptimistic(out OptimisticRead read):
                Peek(oracle, page, read, floor, "read optimistically through a pin");
                break;
        }
    }

    private static void Try(Random random, Mapping mapping, PageOracle oracle, long page, (long Version, long Epoch) floor)
    {
        long epoch = oracle.Epoch;
        switch (random.Next(6))
        {
            case 0 when mapping.TryRead(page, out PageReadLease lease):
                using (lease)
                {
                    oracle.Check(page, lease.Span, floor, "tried to read");
                }

                break;
            case 1 when mapping.TryWrite(page, out PageWriteLease lease):
                Change(oracle, page, lease, floor, epoch, "tried to write");
                using (PageReadLease shared = lease.Downgrade())
                {
                    oracle.Check(page, shared.Span, floor, "downgraded");
                }

                break;
            case 2 when mapping.TryReadOptimistic(page, out OptimisticRead read):
                Peek(oracle, page, read, floor, "tried to read optimistically");
                break;
            case 3 when mapping.TryPin(page, out PagePin pin):
                using (pin)
                {
                    UsePin(random, oracle, page, pin, floor);
                }

                break;
            case 4 when mapping.TryReadOptimistic(page, out OptimisticRead read) && read.TryUpgrade(out PageWriteLease lease):
                using (lease)
                {
                    Change(oracle, page, lease, floor, epoch, "upgraded");
                }

                break;
            case 5 when page < mapping.PageCount && mapping.TryWriteNew(page, out PageWriteLease lease):
                using (lease)
                {
                    Remake(oracle, page, lease, epoch);
                }

                break;
        }
    }

    private static void Renew(Random random, Mapping mapping, PageOracle oracle, long page)
    {
        long epoch = oracle.Epoch;
        using PageWriteLease lease = random.Next(3) == 0 ? mapping.WriteNew(page, TimeSpan.FromMilliseconds(1 + random.Next(3))) : mapping.WriteNew(page);
        Remake(oracle, page, lease, epoch);
    }

    private static async Task RenewAsync(Mapping mapping, PageOracle oracle, long page, CancellationToken token)
    {
        long epoch = oracle.Epoch;
        using PageWriteLease lease = await mapping.WriteNewAsync(page, token);
        Remake(oracle, page, lease, epoch);
    }

    private static void Remake(PageOracle oracle, long page, PageWriteLease lease, long epoch)
    {
        if (lease.Span.ContainsAnyExcept((byte)0))
        {
            PageOracle.Fail($"page {page} was asked for anew and is not zero");
        }

        // Whoever wrote last has noted it under the latch that is held here.
        long version = oracle.Floor(page).Version + 1;
        oracle.Write(page, lease.Span, version);
        lease.MarkDirty();
        oracle.Raise(page, version, epoch);
    }

    private async Task FlushAsync(Mapping mapping, PageOracle oracle, CancellationToken token)
    {
        long[] floors = [.. Enumerable.Range(0, oracle.StablePages).Select(page => oracle.Floor(page).Version)];
        await mapping.FlushAsync(token);
        if (mapping.Device is not UnreliableDevice device)
        {
            return;
        }

        byte[] version = new byte[8];
        for (int page = 0; page < floors.Length; page++)
        {
            device.Inner.Read((page * (long)_configuration.PageSize) + 16, version);
            if (BitConverter.ToInt64(version) < floors[page])
            {
                PageOracle.Fail($"page {page} of file {Array.IndexOf(_oracles, oracle) + 1}: the flush was acknowledged, but the device has version {BitConverter.ToInt64(version)}, not {floors[page]}");
            }
        }
    }

    private async Task TruncateAsync(Random random, Mapping mapping, PageOracle oracle, CancellationToken token)
    {
        long pages = random.Next(_configuration.StablePages, _configuration.Pages);
        if (!Monitor.TryEnter(oracle))
        {
            return;
        }

        // Only the start and the end of a truncation count, and one at a time; the lock is not held across the wait.
        bool mine = (oracle.Epoch & 1) == 0;
        if (mine)
        {
            oracle.TruncationChanges();
        }

        Monitor.Exit(oracle);
        if (!mine)
        {
            return;
        }

        try
        {
            await mapping.TruncateAsync(Math.Min(pages * _configuration.PageSize, mapping.Length), token);
        }
        catch (ArgumentOutOfRangeException)
        {
            // Somebody else was faster.
        }
        finally
        {
            oracle.TruncationChanges();
        }
    }
}
