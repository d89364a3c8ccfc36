namespace StorageCache.KeyValueStore.Concurrency;

/// <summary>How a read waits for pages: asynchronously, or by blocking its thread, and then what it returns has always completed. So one piece of code serves both.</summary>
/// <param name="mapping">The store's pages.</param>
/// <param name="blocks">Whether waiting blocks the calling thread.</param>
/// <param name="cancellationToken">Ends a wait that does not block.</param>
internal readonly struct PageAccess(Mapping mapping, bool blocks, CancellationToken cancellationToken)
{
    /// <summary>Takes the shared latch of a page.</summary>
    public ValueTask<PageReadLease> ReadAsync(long page) => blocks ? new ValueTask<PageReadLease>(mapping.Read(page)) : mapping.ReadAsync(page, cancellationToken);

    /// <summary>Waits until a page is in memory and no writer holds it, which may be over by the time this returns.</summary>
    public async ValueTask FetchAsync(long page)
    {
        if (blocks)
        {
            mapping.ReadOptimistic(page);
        }
        else
        {
            await mapping.ReadOptimisticAsync(page, cancellationToken).ConfigureAwait(false);
        }
    }
}
