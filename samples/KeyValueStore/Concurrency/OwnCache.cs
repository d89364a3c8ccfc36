namespace StorageCache.KeyValueStore.Concurrency;

/// <summary>A cache that a store has made for itself, and that its clones live in as well: it goes with the last of them.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class OwnCache(PageCache cache)
{
    private int _stores = 1;

    /// <summary>Counts one store more, for one that is open and stays so meanwhile.</summary>
    public void Share() => Interlocked.Increment(ref _stores);

    /// <summary>Counts one store less, and disposes of the cache with the last one.</summary>
    public ValueTask ReleaseAsync() => Interlocked.Decrement(ref _stores) == 0 ? cache.DisposeAsync() : ValueTask.CompletedTask;
}
