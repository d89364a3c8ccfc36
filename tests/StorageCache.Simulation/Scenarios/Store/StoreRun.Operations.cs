using System.Buffers;
using StorageCache.KeyValueStore;
using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Store;

/// <content>What clients do.</content>
internal sealed partial class StoreRun
{
    private const int LargestValue = 200_000;

    private static readonly (string Name, Func<StoreRun, Task> Begin)[] s_operations =
    [
        ("write", static run => run.WriteSomethingAsync()),
        ("write", static run => run.WriteSomethingAsync()),
        ("get", static run => run.GetAsync()),
        ("copy", static run => run.CopyAsync()),
        ("scan", static run => run.ScanAsync()),
        ("break-off", static run => run.BreakOffAsync()),
        ("checkpoint", static run => run._store!.CheckpointAsync().AsTask()),
        ("flush", static run => run.FlushAsync()),
        ("check", static run => run.CheckAsync()),
    ];

    /// <inheritdoc/>
    public Operation? BeginOperation()
    {
        if (!IsUsable)
        {
            return null;
        }

        if (_operations == 0 && _world.Random.PerMille(10))
        {
            return new Operation("reopen", ReopenAsync());
        }

        int which = _weights.Next();
        return new Operation(s_operations[which].Name, RunAsync(s_operations[which].Begin));
    }

    /// <summary>Runs an operation, which may fail if the disk has given cause for it. A store that has failed is opened anew.</summary>
    private async Task RunAsync(Func<StoreRun, Task> operation)
    {
        _operations++;
        bool hasFailed = false;
        try
        {
            await operation(this).ConfigureAwait(false);
        }
        catch (Exception error) when (IsCorruption(error))
        {
            ThrowUnlessRotten(error);
            _isGivenUp |= !_canLie || _world.Random.PerMille(RenewPerMille);
        }
        catch (Exception error) when (error is IOException)
        {
            ThrowUnlessCaused(error);
            hasFailed = error is StoreFailedException;
        }

        _operations--;
        if (_canLie && _isGivenUp && _operations == 0 && !_isReopening)
        {
            await RenewAsync().ConfigureAwait(false);
        }
        else if (hasFailed && _operations == 0 && IsUsable)
        {
            await ReopenAsync().ConfigureAwait(false);
        }
    }

    private async Task ReopenAsync()
    {
        _isReopening = true;
        await CloseQuietlyAsync().ConfigureAwait(false);
        await OpenStoreAsync().ConfigureAwait(false);
        _isReopening = false;
    }

    private Task WriteSomethingAsync()
    {
        StoreChange[] changes = new StoreChange[_world.Random.Between(1, _largestBatch)];
        for (int i = 0; i < changes.Length; i++)
        {
            int key = _world.Random.Below(_keys);
            changes[i] = new StoreChange(key, _world.Random.PerMille(250) ? null : StoreValue.Make(++_values, LengthOfValue()));
        }

        return WriteAsync(changes);
    }

    private int LengthOfValue() => _world.Random.PerMille(_largePerMille) ? (int)_world.Random.Magnitude(300, LargestValue) : _world.Random.Below(300);

    /// <summary>Makes a batch of changes. Once it has returned without an exception they are to survive.</summary>
    private async Task WriteAsync(StoreChange[] changes)
    {
        StoreCommit? commit = null;
        KeyValueBatch batch = new() { Committed = lsn => commit = _model.Commit(lsn, changes) };
        foreach (StoreChange change in changes)
        {
            if (change.Value is { } value)
            {
                batch.Put(Key(change.Key), value);
            }
            else
            {
                batch.Delete(Key(change.Key));
            }
        }

        try
        {
            await _store!.WriteAsync(batch).ConfigureAwait(false);
        }
        catch (Exception error) when (commit is not null && error is not StoreFailedException)
        {
            throw new ViolationException($"A batch that has been committed fails with something else than that the store has failed: {error}");
        }

        commit?.IsAcknowledged = true;
    }

    private async Task GetAsync()
    {
        int key = _world.Random.Below(_keys);
        long since = _model.Sequence;
        ArrayBufferWriter<byte> value = new();
        bool isThere = await _store!.TryGetAsync(Key(key), value).ConfigureAwait(false);
        RequireHad(key, since, value.WrittenSpan, isThere);
    }

    private async Task CopyAsync()
    {
        int key = _world.Random.Below(_keys);
        long since = _model.Sequence;
        using PausingStream value = new(_world);
        long? length = await _store!.CopyToAsync(Key(key), value).ConfigureAwait(false);
        RequireHad(key, since, value.GetBuffer().AsSpan(0, (int)value.Length), length is not null);
    }

    private async Task ScanAsync()
    {
        int from = _world.Random.Below(_keys);
        long since = _model.Sequence;
        int last = from - 1;
        ScanOptions options = new() { From = Key(from), Limit = _world.Random.Between(1, 40) };
        await foreach (KeyValueEntry entry in _store!.ScanAsync(options).ConfigureAwait(false))
        {
            int key = KeyOf(entry.Key.Span);
            if (key <= last)
            {
                throw new ViolationException($"A scan gives key {key} after key {last}.");
            }

            last = key;
            RequireHad(key, since, entry.Value.Span, isThere: true);
            if (_world.Random.PerMille(100))
            {
                await _world.PauseAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>Puts a value whose source fails half way: nothing comes of it.</summary>
    private async Task BreakOffAsync()
    {
        try
        {
            await _store!.PutAsync(Key(_world.Random.Below(_keys)), new BrokenStream(_world.Random.Below(200_000))).ConfigureAwait(false);
        }
        catch (BrokenStream.EndException)
        {
            return;
        }

        throw new ViolationException("A put whose source fails has succeeded.");
    }

    /// <summary>Whatever has been committed before a flush is to survive it.</summary>
    private async Task FlushAsync()
    {
        await _store!.FlushAsync().ConfigureAwait(false);
    }

    private async Task CheckAsync()
    {
        CheckReport report = await _store!.CheckAsync().ConfigureAwait(false);
        if (!report.IsSound && !MayBeCorrupt && !report.Problems.Any(static problem => problem.Message.Contains("cannot be read", StringComparison.Ordinal)))
        {
            throw new ViolationException($"The store is not sound: {string.Join("; ", report.Problems)}.");
        }
    }

    private void RequireHad(int key, long since, ReadOnlySpan<byte> value, bool isThere)
    {
        if (!_model.HasHad(key, since, value, isThere) && !(MayBeStale && (!isThere || _model.WasPut(key, value))))
        {
            throw new ViolationException($"Key {key} has {(isThere ? StoreValue.Describe(value) : "no value")}, which it did not have at that time.");
        }
    }

    private static bool IsCorruption(Exception error) => error is CorruptStoreException or CorruptLogException or StoreFormatException or StoreNotCleanException;

    private bool IsLogDamaged() => _world.Disk.IsDamaged(SimulatedStoreFiles.LogOf(Path));

    private bool IsDamaged() => _world.Disk.IsDamaged(Path) || IsLogDamaged();

    private void ThrowUnlessRotten(Exception error)
    {
        if (!MayBeCorrupt)
        {
            throw ViolationException.Uncaused(error);
        }
    }

    /// <summary>Every error has its cause in what the disk has done.</summary>
    private void ThrowUnlessCaused(Exception error)
    {
        bool isCaused = error switch
        {
            StoreFailedException => _world.Disk.HasStruck(
                Fault.WriteError, Fault.TornWrite, Fault.ShortWrite, Fault.BadSectors, Fault.NoSpace, Fault.FlushError, Fault.DroppingFlush, Fault.ReadError),
            PageReadException => _world.Disk.HasStruck(Fault.ReadError, Fault.BadSectors),
            PageWriteException or FlushFailedException or MappingFailedException => _world.Disk.HasStruck(
                Fault.WriteError, Fault.TornWrite, Fault.ShortWrite, Fault.BadSectors, Fault.NoSpace, Fault.FlushError, Fault.DroppingFlush),

            // Pages that the disk does not take are in the way of others.
            CacheFullException or LatchTimeoutException or MappingBusyException => true,

            // The log's own.
            _ => _world.Disk.HasStruck(Fault.ReadError, Fault.WriteError, Fault.TornWrite, Fault.ShortWrite, Fault.BadSectors, Fault.NoSpace, Fault.FlushError, Fault.DroppingFlush),
        };
        if (!isCaused && !MeetsLie(error))
        {
            throw ViolationException.Uncaused(error);
        }
    }
}
