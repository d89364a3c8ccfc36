using System.Buffers.Binary;
using StorageCache.KeyValueStore;
using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Store;

/// <summary>One seed of <see cref="StoreScenario"/>, <see cref="RotScenario"/> or <see cref="LiesScenario"/>: a store in a cache after the other on the same files. Not thread-safe.</summary>
internal sealed partial class StoreRun : IScenarioRun
{
    private const string Path = "store";

    private readonly World _world;
    private readonly bool _canRot;
    private readonly bool _canLie;
    private readonly StoreModel _model = new();
    private readonly OperationWeights _weights;
    private readonly int _keys;
    private readonly int _keyLength;
    private readonly int _largestBatch;
    private readonly int _largePerMille;
    private readonly int _giveUpPerMille;
    private readonly ScenarioCache _cache;
    private readonly KeyValueStoreOptions _options;
    private readonly StoreCauses _causes;
    private KeyValueStore.KeyValueStore? _store;

    /// <summary>Losses of power, and of what was to be flushed, when the store was opened last.</summary>
    private (int PowerLosses, long DroppingFlushes) _losses;

    /// <summary>Whether what the store holds has been held against the model since it was opened.</summary>
    private bool _isKnown;

    /// <summary>Whether the store has said that it has failed: it takes no more changes.</summary>
    private bool _hasFailed;

    /// <summary>Number of the last value made.</summary>
    private long _values;
    private int _operations;
    private bool _isReopening;

    /// <summary>Whether the store has been found corrupt, and that is right: it is used no more.</summary>
    private bool _isGivenUp;

    /// <param name="world">Where it runs.</param>
    /// <param name="canRot">Whether the store may find that it is corrupt.</param>
    /// <param name="canLie">Whether it may, and is made anew then: see <see cref="MayBeStale"/>.</param>
    public StoreRun(World world, bool canRot, bool canLie)
    {
        _world = world;
        _canRot = canRot;
        _canLie = canLie;
        SimulationRandom random = world.Random;
        _weights = new OperationWeights(random, s_operations.Length);
        _keys = (int)random.Magnitude(4, 512);
        _keyLength = random.PerMille(300) ? random.Between(4, 1000) : random.Between(4, 40);
        _largestBatch = (int)random.Magnitude(1, 16);
        _largePerMille = random.PerMille(100) ? 0 : (int)random.Magnitude(10, 300);
        _giveUpPerMille = random.PerMille(500) ? 0 : (int)random.Magnitude(10, 400);
        _cache = new ScenarioCache(world, leastSpare: 32, mostSpare: 200);
        _options = new KeyValueStoreOptions
        {
            CheckpointBytes = random.Magnitude(64 << 10, 1 << 20),
            LogSegmentSize = random.Between(16, 64) * 4096,
            LogBlockBytes = 512 << random.Below(4),
            LogBufferBytes = random.Between(16, 64) * 4096,
            TimeProvider = world.Clock,
            Durability = random.PerMille(300) ? KeyValueDurability.Written : KeyValueDurability.Durable,
            FlushInterval = TimeSpan.FromMilliseconds(random.Magnitude(5, 5000)),
            Files = new SimulatedStoreFiles(world.Disk),
            NewIdentity = NewIdentity,
            NewEpoch = random.NextBits,
        };
        _causes = new StoreCauses(world.Disk, Path, SimulatedStoreFiles.LogOf(Path));
        world.Disk.WritesElsewhere = random.PerMille(300);
        world.Disk.WholeRequestsPerMille = random.PerMille(500) ? 0 : random.Between(1, 1000);
    }

    /// <summary>Whether the store may still be used.</summary>
    private bool IsUsable => _store is not null && !_isReopening && !_isGivenUp;

    /// <inheritdoc/>
    public async Task OpenAsync()
    {
        _operations = 0;
        _isReopening = false;
        _cache.Begin();
        if (_canLie && _isGivenUp)
        {
            DeleteStore();
        }

        if (!_isGivenUp)
        {
            await OpenStoreAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async Task CloseAsync()
    {
        await ForgetLiesAsync().ConfigureAwait(false);
        if (_isGivenUp)
        {
            await CloseQuietlyAsync().ConfigureAwait(false);
        }
        else
        {
            await EndAsync().ConfigureAwait(false);
        }

        await _cache.EndAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Abandon()
    {
        _store = null;
        _cache.Abandon();
    }

    /// <summary>Opens the store, again and again while the disk fails, and holds it against the model.</summary>
    private async Task OpenStoreAsync()
    {
        while (true)
        {
            (long Bytes, long Lengths) lies = Lies;
            StoreCauses.Moment began = _causes.Now;
            _causes.BeginOpening();
            _hasFailed = false;
            _isKnown = false;
            try
            {
                _store = await KeyValueStore.KeyValueStore.OpenAsync(_cache.Current, Path, _options).ConfigureAwait(false);
                Dictionary<int, byte[]> found = await ReadAllAsync().ConfigureAwait(false);
                _world.Trace.Add("recovered", "store", _store.Recovery.Commits, found.Count);
                await AcceptAsync(found, lies).ConfigureAwait(false);
                return;
            }
            catch (KeyValueStoreException error) when (IsCorruption(error))
            {
                ThrowUnlessRotten(error);
                await CloseQuietlyAsync().ConfigureAwait(false);
                if (!_canLie)
                {
                    _isGivenUp = true;
                    return;
                }

                await PauseOrDeleteAsync().ConfigureAwait(false);
            }
            catch (Exception error) when (error is IOException)
            {
                ThrowUnlessCaused(error, StoreUse.Open, began);
                await CloseQuietlyAsync().ConfigureAwait(false);
                await PauseOrDeleteAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>The faults are over: the store is live, and what it holds is what it should, also when it has been closed.</summary>
    private async Task EndAsync()
    {
        try
        {
            if (_store is null || !await TryProbeAsync().ConfigureAwait(false))
            {
                await CloseQuietlyAsync().ConfigureAwait(false);
                await OpenStoreAsync().ConfigureAwait(false);
                if (_isGivenUp)
                {
                    return;
                }

                if (!await TryProbeAsync().ConfigureAwait(false))
                {
                    throw new ViolationException("The store takes no changes although no fault is left and it has just been opened.");
                }
            }

            RequireCurrent(await ReadAllAsync().ConfigureAwait(false));
            CheckReport report = await _store!.CheckAsync().ConfigureAwait(false);
            if (!report.IsSound)
            {
                throw new ViolationException($"The store is not sound: {string.Join("; ", report.Problems)}.");
            }

            await _store.CloseAsync().ConfigureAwait(false);
            _store = await KeyValueStore.KeyValueStore.OpenAsync(_cache.Current, Path, _options).ConfigureAwait(false);
            if (_store.Recovery.WasNeeded)
            {
                throw new ViolationException($"A store that was closed had to be recovered: {_store.Recovery}.");
            }

            RequireCurrent(await ReadAllAsync().ConfigureAwait(false));
            await _store.CloseAsync().ConfigureAwait(false);
        }
        catch (Exception error) when (IsCorruption(error) || (_canRot && error is ViolationException && IsDamaged()))
        {
            ThrowUnlessRotten(error);
            await CloseQuietlyAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Whether the store takes a change.</summary>
    private async Task<bool> TryProbeAsync()
    {
        StoreCauses.Moment began = _causes.Now;
        StoreChange[] changes = [new(0, StoreValue.Make(++_values, 20))];
        try
        {
            await WriteAsync(changes, CancellationToken.None).ConfigureAwait(false);
            return true;
        }
        catch (StoreFailedException error)
        {
            ThrowUnlessCaused(error, StoreUse.Change, began);
            return false;
        }
    }

    private void RequireCurrent(Dictionary<int, byte[]> found)
    {
        if (!StoreModel.AreEqual(_model.Current, found))
        {
            throw new ViolationException($"The store does not hold what was put: {StoreModel.Difference(_model.Current, found)}.");
        }
    }

    /// <summary>Reads all entries, forwards by a scan.</summary>
    private async Task<Dictionary<int, byte[]>> ReadAllAsync()
    {
        Dictionary<int, byte[]> found = [];
        int last = -1;
        await foreach (KeyValueEntry entry in _store!.ScanAsync().ConfigureAwait(false))
        {
            int key = KeyOf(entry.Key.Span);
            if (key <= last)
            {
                throw new ViolationException($"A scan gives key {key} after key {last}.");
            }

            last = key;
            found.Add(key, entry.Value.ToArray());
        }

        return found;
    }

    private async Task CloseQuietlyAsync()
    {
        if (_store is not { } store)
        {
            return;
        }

        _store = null;
        StoreCauses.Moment began = _causes.Now;
        try
        {
            await store.CloseAsync().ConfigureAwait(false);
            _model.Acknowledge(_isKnown ? _model.Commits : 0, areDurable: true);
        }
        catch (KeyValueStoreException error) when (IsCorruption(error))
        {
            ThrowUnlessRotten(error);
        }
        catch (IOException error)
        {
            // What has not been made durable is in the log, or was not acknowledged.
            ThrowUnlessCaused(error, StoreUse.Checkpoint, began);
        }
    }

    private long DroppingFlushes => _world.Disk.Strikes.GetValueOrDefault(Fault.DroppingFlush);

    private byte[] Key(int number)
    {
        byte[] key = new byte[_keyLength];
        BinaryPrimitives.WriteInt32BigEndian(key, number);
        return key;
    }

    private int KeyOf(ReadOnlySpan<byte> key) => key.Length == _keyLength
        ? BinaryPrimitives.ReadInt32BigEndian(key)
        : throw new ViolationException($"A key has {key.Length} bytes; all that were put have {_keyLength}.");

    private Guid NewIdentity()
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, _world.Random.NextBits());
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], _world.Random.NextBits());
        return new Guid(bytes);
    }
}
