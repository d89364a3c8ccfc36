namespace StorageCache.KeyValueStore.Logging;

/// <summary>Something that was durable in the log is not there, or is not what was written. It has not been changed.</summary>
internal sealed class LogCorruptException : LogException
{
    internal LogCorruptException(string path, ulong lsn, long offset, string expected, string found)
        : base(path, $"The log '{path}' is corrupt at LSN {lsn} (offset {(offset < 0 ? "unknown" : offset.ToString(System.Globalization.CultureInfo.InvariantCulture))}): expected {expected}; found {found}.")
    {
        Lsn = lsn;
        Offset = offset;
        Expected = expected;
        Found = found;
    }

    /// <summary>LSN at which it shows.</summary>
    public ulong Lsn { get; }

    /// <summary>Where that is in the file: bytes, or -1 if no part of the file has that LSN.</summary>
    public long Offset { get; }

    /// <summary>What there should be.</summary>
    public string Expected { get; }

    /// <summary>What there is.</summary>
    public string Found { get; }
}
