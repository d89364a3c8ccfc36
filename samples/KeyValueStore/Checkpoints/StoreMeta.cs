using StorageCache.KeyValueStore.Format;

namespace StorageCache.KeyValueStore.Checkpoints;

/// <summary>The meta page, and what it says on the device. One party at a time writes it.</summary>
internal sealed class StoreMeta(Mapping mapping, MetaPage current)
{
    /// <summary>What was written last, and is durable unless that has failed.</summary>
    public MetaPage Current { get; private set; } = current;

    /// <summary>Whether it is certain that the device says that, and nothing else.</summary>
    public bool IsCertain { get; private set; } = true;

    /// <summary>Whether the device may say that the file is worth something without its log.</summary>
    public bool MayBeClean { get; private set; } = current.State == StoreState.Clean;

    /// <summary>Writes the meta page and makes it durable, and with it whatever else is dirty.</summary>
    public async ValueTask WriteAsync(MetaPage meta, CancellationToken cancellationToken)
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
