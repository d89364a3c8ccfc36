using System.Runtime.InteropServices;

namespace StorageCache.Diagnostics;

/// <summary>
/// What happened, apart from hits (see <see cref="HitCells"/>): counters of the slow paths, changed by interlocked
/// additions.
/// </summary>
internal sealed class CacheCounters
{
    private Cells _cells;

    public long Misses => Volatile.Read(ref _cells.Misses);

    public long NewPages => Volatile.Read(ref _cells.NewPages);

    public long Evictions => Volatile.Read(ref _cells.Evictions);

    public long Refaults => Volatile.Read(ref _cells.Refaults);

    public long PrefetchedPages => Volatile.Read(ref _cells.PrefetchedPages);

    public long PrefetchedPagesUnused => Volatile.Read(ref _cells.PrefetchedPagesUnused);

    public long Reads => Volatile.Read(ref _cells.Reads);

    public long Writes => Volatile.Read(ref _cells.Writes);

    public long BytesRead => Volatile.Read(ref _cells.BytesRead);

    public long BytesWritten => Volatile.Read(ref _cells.BytesWritten);

    public long Flushes => Volatile.Read(ref _cells.Flushes);

    public long Waits => Volatile.Read(ref _cells.Waits);

    public long Wakes => Volatile.Read(ref _cells.Wakes);

    public long WaitersExamined => Volatile.Read(ref _cells.WaitersExamined);

    public long Steals => Volatile.Read(ref _cells.Steals);

    public long FrameWaits => Volatile.Read(ref _cells.FrameWaits);

    public long ThrottledWrites => Volatile.Read(ref _cells.ThrottledWrites);

    public long DirtyPages => Volatile.Read(ref _cells.DirtyPages);

    public long ReadErrors => Volatile.Read(ref _cells.ReadErrors);

    public long WriteErrors => Volatile.Read(ref _cells.WriteErrors);

    public long LogWaits => Volatile.Read(ref _cells.LogWaits);

    public long LogErrors => Volatile.Read(ref _cells.LogErrors);

    public long SyncErrors => Volatile.Read(ref _cells.SyncErrors);

    public long CorruptPages => Volatile.Read(ref _cells.CorruptPages);

    public void Miss() => Interlocked.Increment(ref _cells.Misses);

    public void MadeNew() => Interlocked.Increment(ref _cells.NewPages);

    public void Evicted() => Interlocked.Increment(ref _cells.Evictions);

    public void Refaulted() => Interlocked.Increment(ref _cells.Refaults);

    public void Prefetched(int pages) => Interlocked.Add(ref _cells.PrefetchedPages, pages);

    public void PrefetchedInVain() => Interlocked.Increment(ref _cells.PrefetchedPagesUnused);

    public void Read(long bytes)
    {
        Interlocked.Increment(ref _cells.Reads);
        Interlocked.Add(ref _cells.BytesRead, bytes);
    }

    public void Wrote(long bytes)
    {
        Interlocked.Increment(ref _cells.Writes);
        Interlocked.Add(ref _cells.BytesWritten, bytes);
    }

    public void Flushed() => Interlocked.Increment(ref _cells.Flushes);

    public void Waited() => Interlocked.Increment(ref _cells.Waits);

    public void Woke(int examined)
    {
        Interlocked.Increment(ref _cells.Wakes);
        Interlocked.Add(ref _cells.WaitersExamined, examined);
    }

    public void Stole() => Interlocked.Increment(ref _cells.Steals);

    public void WaitedForFrame() => Interlocked.Increment(ref _cells.FrameWaits);

    public void Throttled() => Interlocked.Increment(ref _cells.ThrottledWrites);

    /// <summary>Returns the number of dirty pages afterwards.</summary>
    public long AddDirty(int pages) => Interlocked.Add(ref _cells.DirtyPages, pages);

    public void ReadFailed() => Interlocked.Increment(ref _cells.ReadErrors);

    public void WriteFailed() => Interlocked.Increment(ref _cells.WriteErrors);

    public void WaitedForLog() => Interlocked.Increment(ref _cells.LogWaits);

    public void LogFailed() => Interlocked.Increment(ref _cells.LogErrors);

    public void SyncFailed() => Interlocked.Increment(ref _cells.SyncErrors);

    public void FoundCorrupt() => Interlocked.Increment(ref _cells.CorruptPages);

    /// <summary>The cells, kept clear of other objects' cache lines on both sides.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Cells
    {
        public Padding Before;
        public long Misses;
        public long NewPages;
        public long Evictions;
        public long Refaults;
        public long PrefetchedPages;
        public long PrefetchedPagesUnused;
        public long Reads;
        public long BytesRead;
        public long Writes;
        public long BytesWritten;
        public long Flushes;
        public long Waits;
        public long Wakes;
        public long WaitersExamined;
        public long Steals;
        public long FrameWaits;
        public long ThrottledWrites;
        public long DirtyPages;
        public long ReadErrors;
        public long WriteErrors;
        public long LogWaits;
        public long LogErrors;
        public long SyncErrors;
        public long CorruptPages;
        public Padding After;
    }

    [StructLayout(LayoutKind.Sequential, Size = 128)]
    private struct Padding;
}
