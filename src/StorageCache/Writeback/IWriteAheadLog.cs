namespace StorageCache;

/// <summary>
/// The log of the engine above the cache, as far as write-back has to know it: no page is written before the log record of its last change
/// is durable (the write-ahead rule). Given by <see cref="MappingOptions.Log"/>.
/// </summary>
/// <remarks>
/// <para>
/// Log sequence numbers are whatever the engine makes of them, as long as they grow: byte positions, counters. The cache learns those of
/// pages from <see cref="PageWriteLease.MarkDirty(ulong)"/>; 0 stands for a change that is not logged, and waits for nothing. A record with
/// a number is to be in the log before a page is marked with it: nobody can make durable what is to come.
/// </para>
/// <para>
/// Thread safety: both members are called from any thread, at the same time, also several times for one number: by the background flusher,
/// which has one call under way for each mapping, and by each flush, checkpoint and close. Neither may block, or wait for a page of the cache:
/// they run on threads that bring pages in and out. The cache holds none of its locks meanwhile, but may hold a shared latch of a page.
/// </para>
/// </remarks>
public interface IWriteAheadLog
{
    /// <summary>
    /// Up to which number the log is durable, records with that number included. Never falls. Asked for often: before every few writes.
    /// </summary>
    ulong DurableLsn { get; }

    /// <summary>
    /// Makes the log durable up to a number. When the call ends without an exception, <see cref="DurableLsn"/> is at least that; the cache
    /// looks, and takes everything else for a failure. While the log fails, the pages that need it stay dirty and readable.
    /// </summary>
    /// <param name="lsn">The number; above 0.</param>
    /// <param name="cancellationToken">Nobody waits any more; what has begun may go on.</param>
    ValueTask EnsureDurableAsync(ulong lsn, CancellationToken cancellationToken);
}
