using StorageCache.IO;
using StorageCache.KeyValueStore;
using StorageCache.KeyValueStore.Logging;
using StorageCache.Simulation.Disk;

namespace StorageCache.Simulation.Scenarios.Store;

/// <summary>
/// What an operation of the store may fail with, and what has to have failed on the disk for it (SIM-7): while the operation was under way, or, of
/// what fails a store for good, since it was opened. Whatever is not in the table is a violation. Not thread-safe.
/// </summary>
/// <param name="disk">What fails.</param>
/// <param name="pages">Name of the file with the pages.</param>
/// <param name="log">Name of the file with the log.</param>
internal sealed class StoreCauses(SimulatedDisk disk, string pages, string log)
{
    /// <summary>So many writes of the log fail before it does (LOG-13).</summary>
    private static readonly int s_logWriteAttempts = new LogOptions().WriteAttempts;

    private Moment _opened;

    /// <summary>What had failed until a moment.</summary>
    internal readonly record struct Moment(FailureCounts Pages, FailureCounts Log);

    /// <summary>What has failed until now.</summary>
    public Moment Now => new(disk.FailuresOf(pages), disk.FailuresOf(log));

    /// <summary>Notes that the store is opened anew: from now on it has no reason to be failed.</summary>
    public void BeginOpening() => _opened = Now;

    /// <summary>Whether a page may be unreadable for an operation that began at a moment.</summary>
    public bool MayMissPages(Moment began) => Since(began).Pages.Reads > 0 || HasPagesFailed;

    /// <summary>Whether an operation may fail with an error.</summary>
    /// <param name="error">The error.</param>
    /// <param name="use">What the operation is for.</param>
    /// <param name="began">When it began.</param>
    public bool Explain(Exception error, StoreUse use, Moment began)
    {
        Moment during = Since(began);
        return error switch
        {
            // For any of them. A page that does not come, or a sync after which pages may be lost.
            PageReadException => use != StoreUse.Flush && during.Pages.Reads > 0,
            MappingFailedException => use != StoreUse.Flush && HasPagesFailed,

            // Time passes as chance has it: others may keep what is needed for longer than anybody waits.
            CacheFullException or LatchTimeoutException => use != StoreUse.Flush,
            MappingBusyException => use is StoreUse.Open,

            // The store as a whole: reads never ask for that.
            StoreFailedException => use is not (StoreUse.Read or StoreUse.Check) && (HasLogFailed || HasPagesFailed),

            // Those who make pages durable: a change does when it is the first one.
            PageWriteException => Writes(use) && (during.Pages.Writes + during.Pages.Changes > 0 || HasLogFailed),
            FlushFailedException => Writes(use) && HasPagesFailed,

            // The log's file, and of pages the length.
            BlockIOException => use switch
            {
                StoreUse.Open => during.Log != default || during.Pages != default,
                StoreUse.Change => during.Log.Writes + during.Log.Changes > 0,
                StoreUse.Checkpoint => during.Pages.Changes > 0,
                StoreUse.Check => during.Log.Reads > 0,
                _ => false,
            },
            _ => false,
        };
    }

    private bool HasLogFailed => Since(_opened).Log is { } failed && (failed.Writes >= s_logWriteAttempts || failed.Flushes > 0);

    private bool HasPagesFailed => Since(_opened).Pages.Flushes > 0;

    private static bool Writes(StoreUse use) => use is StoreUse.Open or StoreUse.Change or StoreUse.Checkpoint;

    private Moment Since(Moment then) => new(Now.Pages - then.Pages, Now.Log - then.Log);
}
