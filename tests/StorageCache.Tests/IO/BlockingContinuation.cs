namespace StorageCache.Tests.IO;

/// <summary>A continuation that blocks where the engine's work is done, on what only that work brings (I/O-18).</summary>
internal static class BlockingContinuation
{
    /// <summary>Reads two pages of a cache that allows synchronous continuations. Neither is in memory.</summary>
    public static async Task RunAsync(Mapping mapping, long page)
    {
        // Goes on where the read completed: on a thread of the engine's.
        (await mapping.ReadAsync(page).ConfigureAwait(false)).Dispose();

        // Queued, and perhaps for nobody but the thread that waits for it.
        ValueTask<PageReadLease> pending = mapping.ReadAsync(page + 1);
        mapping.Read(page + 1).Dispose();
        (await pending.ConfigureAwait(false)).Dispose();
    }
}
