namespace StorageCache;

/// <content>Numbers to look at.</content>
public sealed partial class PageCache
{
    /// <summary>
    /// What the cache has done and holds. Takes no lock that a page access takes; costs a look at each of 512 cells, twice,
    /// and at every open mapping.
    /// </summary>
    public PageCacheStatistics GetStatistics()
    {
        long resident = 0;
        foreach (Mapping mapping in _core.OpenMappings())
        {
            resident += mapping.ResidentPages;
        }

        return new PageCacheStatistics
        {
            Hits = _core.Hits.Hits,
            Misses = _core.Counters.Misses,
            NewPages = _core.Counters.NewPages,
            Evictions = _core.Counters.Evictions,
            Refaults = _core.Counters.Refaults,
            PrefetchedPages = _core.Counters.PrefetchedPages,
            PrefetchedPagesUnused = _core.Counters.PrefetchedPagesUnused,
            Reads = _core.Counters.Reads,
            BytesRead = _core.Counters.BytesRead,
            Writes = _core.Counters.Writes,
            BytesWritten = _core.Counters.BytesWritten,
            Flushes = _core.Counters.Flushes,
            Waits = _core.Counters.Waits,
            Wakes = _core.Counters.Wakes,
            WaitersExamined = _core.Counters.WaitersExamined,
            Steals = _core.Counters.Steals,
            FrameWaits = _core.Counters.FrameWaits,
            ThrottledWrites = _core.Counters.ThrottledWrites,
            Breaks = _core.Protection.Counters.AllBreaks(),
            BreaksByReason = _core.Protection.Counters.BreaksByReason(),
            RefusalsByReason = _core.Protection.Counters.RefusalsByReason(),
            ProtectionsLifted = _core.Protection.Counters.Lifted,
            SharedFrames = _core.Protection.Owners.SharedFrames,
            BytesSaved = _core.Sharing.BytesSaved,
            ReadsAvoided = _core.Sharing.ReadsAvoided,
            PagesHashed = _core.Sharing.PagesHashed,
            HashTime = _core.Sharing.HashTime,
            PagesScanned = _core.Sharing.Scanner.PagesScanned,
            ScanTime = _core.Sharing.Scanner.Time,
            ReadErrors = _core.Counters.ReadErrors,
            WriteErrors = _core.Counters.WriteErrors,
            SyncErrors = _core.Counters.SyncErrors,
            LogWaits = _core.Counters.LogWaits,
            LogErrors = _core.Counters.LogErrors,
            CorruptPages = _core.Counters.CorruptPages,
            DirtyPages = _core.Counters.DirtyPages,
            PinsHeld = _core.Hits.PinsHeld,
            ResidentPages = resident,
            FrameCapacity = _core.FrameCapacity,
            MemoryUsed = _core.Budget.Used,
            MetadataBytes = _core.Budget.Used - ((long)_core.Frames.Active * PageSize),
            MemoryLimit = _core.Budget.Limit,
            RegisteredBytes = _core.Registration?.Bytes ?? 0,
            IsRegistrationRefused = _core.Registration?.IsRefused ?? false,
        };
    }
}
