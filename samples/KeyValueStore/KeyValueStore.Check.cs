using StorageCache.KeyValueStore.Checking;
using StorageCache.KeyValueStore.Concurrency;

namespace StorageCache.KeyValueStore;

public sealed partial class KeyValueStore
{
    /// <summary>
    /// Walks every page and proves the structure: the order of keys within and across pages, links, depth, fill, the hashes of large values, that every
    /// page has its checksum, no change that the log does not reach, and exactly one use, and that the counts are right (invariants KV-1 to KV-4, KV-8 to KV-10, KV-13 and KV-23).
    /// </summary>
    /// <param name="progress">Told about every 256 pages; null when nobody needs to know.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <remarks>Changes wait until the check is done; readers go on. It reads every page, and takes one byte of memory for each.</remarks>
    /// <returns>The report. Damage is reported, not thrown.</returns>
    public async ValueTask<CheckReport> CheckAsync(IProgress<CheckProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using WriterScope scope = await EnterWriterAsync(cancellationToken).ConfigureAwait(false);
        StoreChecker checker = new(_mapping, _log, _verifier.Reach, _limits, _allocator, Counts, progress);
        return await checker.RunAsync(cancellationToken).ConfigureAwait(false);
    }
}
