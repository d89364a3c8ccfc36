using StorageCache.KeyValueStore.Format;

namespace StorageCache.KeyValueStore.Checkpoints;

/// <summary>The meta page, and what it says on the device. Thread-safe: a change may find that it has to be written while a checkpoint writes it.</summary>
internal sealed class StoreMeta(Mapping mapping, MetaPage current)
{
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>What was written last, and is durable unless that has failed.</summary>
    public MetaPage Current { get; private set; } = current;

    /// <summary>Whether it is certain that the device says that, and nothing else.</summary>
    public bool IsCertain { get; private set; } = true;

    /// <summary>Whether the device may say that the file is worth something without its log.</summary>
    public bool MayBeClean { get; private set; } = current.State == StoreState.Clean;

    /// <summary>Writes the meta page and makes it durable, and with it whatever else is dirty.</summary>
    /// <param name="change">What it is to say, after what it says: the redo point of another's checkpoint is not to be taken back.</param>
    /// <param name="cancellationToken">Gives up; what the device says is not certain then.</param>
    public async ValueTask WriteAsync(Func<MetaPage, MetaPage> change, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await WriteInTurnAsync(change(Current), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async ValueTask WriteInTurnAsync(MetaPage meta, CancellationToken cancellationToken)
    {
        // From here on the device may hold it, whether or not it is seen to succeed.
        IsCertain = false;
        MayBeClean |= meta.State == StoreState.Clean;
        using (PageWriteLease lease = await mapping.WriteAsync(MetaPage.PageNumber, cancellationToken).ConfigureAwait(false))
        {
            meta.Write(lease.Span);
            lease.MarkDirty();
        }

        await mapping.FlushAsync(cancellationToken).ConfigureAwait(false);
        Current = meta;
        IsCertain = true;
        MayBeClean = meta.State == StoreState.Clean;
    }
}
