using System.Buffers;
using StorageCache.KeyValueStore;
using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Store;

/// <content>What clients do.</content>
internal sealed partial class StoreRun
{
    private const int LargestValue = 200_000;

    private static readonly (string Name, StoreUse Use, Func<StoreRun, Task> Begin)[] s_operations =
    [
        ("write", StoreUse.Change, static run => run.WriteSomethingAsync()),
        ("write", StoreUse.Change, static run => run.WriteSomethingAsync()),
        ("get", StoreUse.Read, static run => run.GetAsync()),
        ("copy", StoreUse.Read, static run => run.CopyAsync()),
        ("scan", StoreUse.Read, static run => run.ScanAsync()),
        ("break-off", StoreUse.Change, static run => run.BreakOffAsync()),
        ("checkpoint", StoreUse.Checkpoint, static run => run.MakeDurableAsync(run._store!.CheckpointAsync)),
        ("flush", StoreUse.Flush, static run => run.MakeDurableAsync(run._store!.FlushAsync)),
        ("check", StoreUse.Check, static run => run.CheckAsync()),
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
        (string name, StoreUse use, Func<StoreRun, Task> begin) = s_operations[which];
        return new Operation(name, RunAsync(use, begin));
    }

    /// <summary>Runs an operation, which may fail if the disk has given cause for it. A store that has failed is opened anew.</summary>
    private async Task RunAsync(StoreUse use, Func<StoreRun, Task> operation)
    {
        _operations++;
        bool hasFailed = false;
        StoreCauses.Moment began = _causes.Now;
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
            ThrowUnlessCaused(error, use, began);
            hasFailed = error is StoreFailedException;
            _hasFailed |= hasFailed;
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

    private async Task WriteSomethingAsync()
    {
        StoreChange[] changes = new StoreChange[_world.Random.Between(1, _largestBatch)];
        for (int i = 0; i < changes.Length; i++)
        {
            int key = _world.Random.Below(_keys);
            changes[i] = new StoreChange(key, _world.Random.PerMille(250) ? null : StoreValue.Make(++_values, LengthOfValue()));
        }

        using CancellationTokenSource givenUp = new();
        Task givesUp = _world.Random.PerMille(_giveUpPerMille) ? GiveUpAsync(givenUp) : Task.CompletedTask;
        try
        {
            await WriteAsync(changes, givenUp.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (givenUp.IsCancellationRequested)
        {
            // Nothing of it has happened: had it been committed, that would be a violation.
        }
        finally
        {
            await givesUp.ConfigureAwait(false);
        }
    }

    /// <summary>Gives up an operation some time later, if it has not ended by then.</summary>
    private async Task GiveUpAsync(CancellationTokenSource givenUp)
    {
        for (int pauses = _world.Random.Between(1, 8); pauses > 0; pauses--)
        {
            await _world.PauseAsync().ConfigureAwait(false);
        }

        await givenUp.CancelAsync().ConfigureAwait(false);
    }

    private int LengthOfValue() => _world.Random.PerMille(_largePerMille) ? (int)_world.Random.Magnitude(300, LargestValue) : _world.Random.Below(300);

    /// <summary>Makes a batch of changes. Once it has returned without an exception they are to survive what the store's durability says.</summary>
    private async Task WriteAsync(StoreChange[] changes, CancellationToken cancellationToken)
    {
        bool isCommitted = false;
        bool hadFailed = _hasFailed;

        // A batch that has changed nothing vouches for what it has seen (KV-19).
        int commits = _model.Commits;
        KeyValueBatch batch = new()
        {
            Committed = lsn =>
            {
                _model.Commit(lsn, changes);
                commits = _model.Commits;
                isCommitted = true;
            },
        };
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
            await _store!.WriteAsync(batch, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (isCommitted && error is not StoreFailedException)
        {
            throw new ViolationException($"A batch that has been committed fails with something else than that the store has failed: {error}");
        }

        if (isCommitted && hadFailed)
        {
            throw new ViolationException("A batch has been taken by a store that had said that it has failed.");
        }

        _model.Acknowledge(commits, _options.Durability == KeyValueDurability.Durable);
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

    /// <summary>Whatever has been committed before a flush or a checkpoint begins is durable when it has ended.</summary>
    private async Task MakeDurableAsync(Func<CancellationToken, ValueTask> operation)
    {
        int commits = _model.Commits;
        await operation(CancellationToken.None).ConfigureAwait(false);
        _model.Acknowledge(commits, areDurable: true);
    }

    private async Task CheckAsync()
    {
        StoreCauses.Moment began = _causes.Now;
        CheckReport report = await _store!.CheckAsync().ConfigureAwait(false);
        if (!report.IsSound && !MayBeCorrupt && !_causes.MayMissPages(began))
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
    private void ThrowUnlessCaused(Exception error, StoreUse use, StoreCauses.Moment began)
    {
        if (!_causes.Explain(error, use, began) && !MeetsLie(error))
        {
            throw new ViolationException($"An error that nothing has caused, of a {use}: {error}");
        }
    }
}
