using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Logging;

namespace StorageCache.KeyValueStore.Integrity;

/// <summary>
/// How far the log of a store goes. No page has a later change, or the log is not the one that the pages were written with (KV-23).
/// </summary>
/// <remarks>Set while the store is opened; thread-safe afterwards.</remarks>
internal sealed class LogReach
{
    private WriteAheadLog? _log;
    private ulong _end = ulong.MaxValue;

    /// <summary>LSN that no page exceeds. To be looked at after the page: a change gets its LSN before its page does.</summary>
    public ulong End => _log?.NextLsn ?? _end;

    /// <summary>From here on it is where a log ends, which grows.</summary>
    public void Follow(WriteAheadLog log) => _log = log;

    /// <summary>From here on it is a fixed LSN: there is no log, or the store is only read.</summary>
    public void Fix(ulong end)
    {
        _log = null;
        _end = end;
    }

    /// <summary>What is wrong with a page, if the log does not reach its last change; else null.</summary>
    public string? ProblemOf(ReadOnlySpan<byte> page) => ProblemOf(PageHeader.Lsn(page));

    /// <summary>What is wrong with a page whose last change has this LSN, if the log does not reach it; else null.</summary>
    public string? ProblemOf(ulong lsn)
    {
        ulong end = End;
        return lsn <= end
            ? null
            : $"its last change has LSN {lsn}, and the log ends at LSN {end}: the log is an older copy, or has lost what was durable";
    }
}
