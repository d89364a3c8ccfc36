using StorageCache.KeyValueStore;
using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Store;

/// <content>
/// What may be asked of a store on a disk that lies. Until a lie has been told, all of it. From then on: that it gives nothing that was never put to that key,
/// says what is wrong by the errors that it documents, and ends what is begun. After lies about lengths alone it may be refused, and what it gives is what
/// it should. When it has been opened and read to the last page since the last lie, all of it again, beginning with what was found; and a store that is
/// made anew owes nothing to the lies before.
/// </content>
internal sealed partial class StoreRun
{
    /// <summary>How often a store that is corrupt is made anew at once, and not used on.</summary>
    private const int RenewPerMille = 300;

    /// <summary>Lies about bytes, and about lengths, up to the moment from which on the store is trusted again.</summary>
    private (long Bytes, long Lengths) _liesForgotten;

    private (long Bytes, long Lengths) Lies => (
        LiesScenario.Lies.Sum(fault => _world.Disk.Strikes.GetValueOrDefault(fault)), _world.Disk.Strikes.GetValueOrDefault(Fault.LyingLength));

    /// <summary>Whether the store may hold something of another time.</summary>
    private bool MayBeStale => _canLie && Lies.Bytes > _liesForgotten.Bytes;

    /// <summary>Whether the store may be other than what was put, if it says so.</summary>
    private bool MayBeCorrupt => (_canRot && IsDamaged()) || (_canLie && Lies != _liesForgotten);

    /// <summary>Notes what a store holds that has just been opened.</summary>
    /// <param name="found">All that it holds.</param>
    /// <param name="liesBefore">Lies before it was opened.</param>
    private async Task AcceptAsync(Dictionary<int, byte[]> found, (long Bytes, long Lengths) liesBefore)
    {
        (int, long) losses = (_world.Disk.PowerLosses, DroppingFlushes);
        if (MayBeStale)
        {
            RequirePut(found);
            _model.Settle(found);
        }
        else
        {
            _model.Recover(found, mayLoseWritten: losses != _losses, mayLoseDurable: _canRot && IsLogDamaged());
        }

        _losses = losses;
        _isKnown = true;

        // Opening has flushed both files, so all that a check reads, which is everything, is there to stay.
        if (_canLie && Lies != _liesForgotten && (await _store!.CheckAsync().ConfigureAwait(false)).IsSound && Lies == liesBefore)
        {
            _world.Trace.Add("trusted", "store", liesBefore.Bytes, liesBefore.Lengths);
            _liesForgotten = liesBefore;
        }
    }

    private void RequirePut(Dictionary<int, byte[]> found)
    {
        foreach ((int key, byte[] value) in found)
        {
            if (!_model.WasPut(key, value))
            {
                throw new ViolationException($"Key {key} has {StoreValue.Describe(value)}, which was never put to it.");
            }
        }
    }

    /// <summary>Whether an error is one that the store may meet a lie with: of a kind that it documents.</summary>
    private bool MeetsLie(Exception error) => _canLie && MayBeCorrupt && (error is KeyValueStoreException or PageCacheException);

    /// <summary>Waits before the store is opened again that cannot be opened; or takes it away, if it may be that it never can.</summary>
    private async Task PauseOrDeleteAsync()
    {
        if (_canLie && MayBeCorrupt && _world.Random.PerMille(RenewPerMille))
        {
            DeleteStore();
        }

        await _world.PauseAsync().ConfigureAwait(false);
    }

    /// <summary>Takes a store away that is no good any more, and makes a new one. Nobody uses it.</summary>
    private async Task RenewAsync()
    {
        _isReopening = true;
        await CloseQuietlyAsync().ConfigureAwait(false);
        DeleteStore();
        await OpenStoreAsync().ConfigureAwait(false);
        _isReopening = false;
    }

    private void DeleteStore()
    {
        _options.Files.Delete(Path, withLog: true);
        _model.Forget();
        _isGivenUp = false;
        _liesForgotten = Lies;
    }

    /// <summary>The faults are over: a store that has been lied to ends somehow, and one that is sound then, or new, is as good as any.</summary>
    private async Task ForgetLiesAsync()
    {
        if (!_canLie || !MayBeCorrupt)
        {
            return;
        }

        await RunAsync(StoreUse.Change, static async run =>
        {
            if (run._store is not null)
            {
                run.RequirePut(await run.ReadAllAsync().ConfigureAwait(false));
                await run.CheckAsync().ConfigureAwait(false);
                await run.TryProbeAsync().ConfigureAwait(false);
            }
        }).ConfigureAwait(false);
        await ReopenAsync().ConfigureAwait(false);
        if (MayBeCorrupt)
        {
            await RenewAsync().ConfigureAwait(false);
        }
    }
}
