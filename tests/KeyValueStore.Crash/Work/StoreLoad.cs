using StorageCache.KeyValueStore.Crash.Reports;

namespace StorageCache.KeyValueStore.Crash.Work;

/// <summary>A store and those who use it.</summary>
internal sealed class StoreLoad
{
    private const int FoundAtOnce = 256;
    private const int MostInBatch = 8;
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(5);

    private readonly Worker _worker;
    private readonly string _name;
    private readonly KeyValueDurability _durability;
    private readonly int _seed;
    private readonly string _path;
    private KeyValueStore? _store;

    public StoreLoad(Worker worker, string name, KeyValueDurability durability, int seed)
    {
        _worker = worker;
        _name = name;
        _durability = durability;
        _seed = seed;
        _path = Path.Combine(worker.Plan.Directory, name);
    }

    /// <summary>Opens the store, and says what is in it.</summary>
    /// <returns>Whether it can be used.</returns>
    public async Task<bool> OpenAsync(bool mayCreate)
    {
        while (true)
        {
            Report(new Report(ReportKind.Opening, _name));
            try
            {
                _store = await KeyValueStore.OpenAsync(_worker.Cache, _path, Options(mayCreate ? MappingMode.OpenOrCreate : MappingMode.Open)).ConfigureAwait(false);
                await SayContentsAsync().ConfigureAwait(false);
                return true;
            }
            catch (MappingLockedException)
            {
                // Of the process that was killed the kernel may hold the files for a moment longer.
                await Task.Delay(s_pause).ConfigureAwait(false);
            }
            catch (IOException exception) when (_worker.Plan.IsTolerant && exception is StoreFailedException or not (KeyValueStoreException or FileNotFoundException))
            {
                Report(new Report(ReportKind.NotOpened, _name, Text: _worker.Describe(exception)));
                await CloseAsync().ConfigureAwait(false);
                if (_worker.Stopped.IsCancellationRequested)
                {
                    return false;
                }

                await Task.Delay(s_pause * 4).ConfigureAwait(false);
            }
            catch (Exception exception)
            {
                bool isClear = exception is KeyValueStoreException or FileNotFoundException && exception is not CorruptStoreException;
                Report(new Report(ReportKind.Refused, _name, isClear ? 1 : 0, Text: isClear ? exception.Message : exception.ToString()));
                return false;
            }
        }
    }

    /// <summary>Uses the store until the worker is to stop; opens it anew whenever it has failed, if it may.</summary>
    public async Task RunAsync()
    {
        Random random = new(_seed);
        while (!_worker.Stopped.IsCancellationRequested && _store is not null)
        {
            using CancellationTokenSource failed = CancellationTokenSource.CreateLinkedTokenSource(_worker.Stopped);
            await Task.WhenAll(
            [
                .. Enumerable.Range(0, _worker.Plan.Writers).Select(_ => Guarded(random.Next(), WriteAsync, failed)),
                Guarded(random.Next(), ReadAsync, failed),
                Guarded(random.Next(), MaintainAsync, failed),
            ]).ConfigureAwait(false);
            if (!_worker.Stopped.IsCancellationRequested)
            {
                await CloseAsync().ConfigureAwait(false);
                await OpenAsync(mayCreate: false).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Clones the store.</summary>
    /// <returns>The clone; null if it has failed.</returns>
    public async Task<StoreLoad?> CloneAsync(string name, int seed)
    {
        if (_store is not { } store)
        {
            return null;
        }

        StoreLoad clone = new(_worker, name, _durability, seed);
        Report(new Report(ReportKind.CloneBegun, name, Text: _name));
        try
        {
            clone._store = (await store.CloneAsync(clone._path).ConfigureAwait(false)).Store;
        }
        catch (Exception exception) when (_worker.Plan.IsTolerant && exception is IOException or ObjectDisposedException)
        {
            Report(new Report(ReportKind.CloneFailed, name, Text: _worker.Describe(exception)));
            return null;
        }
        catch (Exception exception)
        {
            Report(new Report(ReportKind.Violation, name, Text: $"a clone of '{_name}' fails: {exception}"));
            return null;
        }

        Report(new Report(ReportKind.CloneDone, name));
        return clone;
    }

    public async Task CloseAsync()
    {
        if (Interlocked.Exchange(ref _store, null) is not { } store)
        {
            return;
        }

        try
        {
            await store.CloseAsync().ConfigureAwait(false);
            Report(new Report(ReportKind.Closed, _name));
        }
        catch (Exception exception)
        {
            bool isExpected = _worker.Plan.IsTolerant && exception is IOException;
            Report(new Report(isExpected ? ReportKind.Closed : ReportKind.Violation, _name, Text: isExpected ? _worker.Describe(exception) : $"closing fails: {exception}"));
        }
    }

    private KeyValueStoreOptions Options(MappingMode mode) => new()
    {
        Mode = mode,
        Durability = _durability,
        FlushInterval = TimeSpan.FromMilliseconds(20),
        CheckpointBytes = _worker.Plan.CheckpointBytes,
        LogSegmentSize = _worker.Plan.SegmentBytes,
    };

    private void Report(Report report) => _worker.Reports.Write(report);

    private async Task SayContentsAsync()
    {
        List<Change> found = [];
        await foreach (KeyValueEntry entry in _store!.ScanAsync().ConfigureAwait(false))
        {
            int? number = Entries.NumberOf(entry.Key.Span);
            long? version = number is null ? null : Entries.VersionOf(number.Value, entry.Value.Span);
            if (version is null)
            {
                Report(new Report(ReportKind.Violation, _name, Text: $"key {Convert.ToHexString(entry.Key.Span)} has a value that nobody has put"));
                return;
            }

            found.Add(new Change(number!.Value, version.Value));
            if (found.Count == FoundAtOnce)
            {
                Report(new Report(ReportKind.Found, _name, Changes: found));
                found.Clear();
            }
        }

        Report(new Report(ReportKind.Found, _name, Changes: found));
        CheckReport check = await _store.CheckAsync().ConfigureAwait(false);
        Report(new Report(ReportKind.Checked, _name, Text: string.Join("; ", check.Problems)));
    }

    /// <summary>Has one user of the store go on until it has failed, or the worker is to stop.</summary>
    private async Task Guarded(int seed, Func<Random, Task> step, CancellationTokenSource failed)
    {
        Random random = new(seed);
        await Task.Yield();
        while (!failed.IsCancellationRequested)
        {
            try
            {
                await step(random).ConfigureAwait(false);
            }
            catch (StoreFailedException) when (_worker.Plan.IsTolerant)
            {
                await failed.CancelAsync().ConfigureAwait(false);
            }
            catch (IOException exception) when (_worker.Plan.IsTolerant && exception is not KeyValueStoreException)
            {
                await Task.Delay(s_pause).ConfigureAwait(false);
            }
            catch (Exception exception)
            {
                Report(new Report(ReportKind.Violation, _name, Text: $"unexpected: {exception}"));
                return;
            }
        }
    }

    private async Task WriteAsync(Random random)
    {
        int draw = random.Next(100);
        int count = draw < 20 ? random.Next(2, MostInBatch + 1) : 1;
        HashSet<int> keys = [];
        while (keys.Count < count)
        {
            // Some keys are everybody's favourites.
            keys.Add(random.Next(random.Next(4) == 0 ? 16 : _worker.Plan.Keys));
        }

        Change[] changes = [.. keys.Select(key => new Change(key, random.Next(5) == 0 ? 0 : _worker.NextNumber()))];
        long operation = _worker.NextNumber();
        Report(new Report(ReportKind.Begun, _name, operation, changes));
        try
        {
            await (changes is [Change change] ? WriteOneAsync(change, draw) : WriteBatchAsync(changes)).ConfigureAwait(false);
        }
        catch (StoreFailedException exception) when (_worker.Plan.IsTolerant)
        {
            Report(new Report(ReportKind.InDoubt, _name, operation, Text: _worker.Describe(exception)));
            throw;
        }
        catch (IOException exception) when (_worker.Plan.IsTolerant)
        {
            Report(new Report(ReportKind.Failed, _name, operation, Text: _worker.Describe(exception)));
            throw;
        }

        Report(new Report(ReportKind.Done, _name, operation));
    }

    private async Task WriteOneAsync(Change change, int draw)
    {
        byte[] key = Entries.Key(change.Key);
        if (change.Version == 0)
        {
            await _store!.DeleteAsync(key).ConfigureAwait(false);
        }
        else if (draw < 35)
        {
            using MemoryStream stream = new(Entries.Value(change.Key, change.Version));
            await _store!.PutAsync(key, stream).ConfigureAwait(false);
        }
        else
        {
            await _store!.PutAsync(key, Entries.Value(change.Key, change.Version)).ConfigureAwait(false);
        }
    }

    private async Task WriteBatchAsync(Change[] changes)
    {
        KeyValueBatch batch = new();
        foreach (Change change in changes)
        {
            byte[] key = Entries.Key(change.Key);
            if (change.Version == 0)
            {
                batch.Delete(key);
            }
            else
            {
                batch.Put(key, Entries.Value(change.Key, change.Version));
            }
        }

        await _store!.WriteAsync(batch).ConfigureAwait(false);
    }

    private async Task ReadAsync(Random random)
    {
        int key = random.Next(_worker.Plan.Keys);
        if (random.Next(8) > 0)
        {
            byte[]? value = await _store!.GetAsync(Entries.Key(key)).ConfigureAwait(false);
            Verify(key, value ?? default(ReadOnlyMemory<byte>), value is not null);
            return;
        }

        await foreach (KeyValueEntry entry in _store!.ScanAsync(new ScanOptions { From = Entries.Key(key), Limit = 20, Reverse = random.Next(2) == 0 }).ConfigureAwait(false))
        {
            Verify(Entries.NumberOf(entry.Key.Span) ?? -1, entry.Value, isThere: true);
        }
    }

    private void Verify(int key, ReadOnlyMemory<byte> value, bool isThere)
    {
        if (isThere && Entries.VersionOf(key, value.Span) is null)
        {
            Report(new Report(ReportKind.Violation, _name, Text: $"reading key {key} gives {value.Length} bytes that nobody has put"));
        }
    }

    private async Task MaintainAsync(Random random)
    {
        await Task.Delay(random.Next(40)).ConfigureAwait(false);
        await (random.Next(3) == 0 ? _store!.CheckpointAsync() : _store!.FlushAsync()).ConfigureAwait(false);
    }
}
