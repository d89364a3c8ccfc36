namespace StorageCache.KeyValueStore.Logging;

/// <summary>What a log has done since it was opened, and how large it is. A snapshot.</summary>
internal readonly record struct LogStatistics
{
    /// <summary>Segments that the file has room for.</summary>
    public int Segments { get; init; }

    /// <summary>Segments of these that hold nothing that is needed.</summary>
    public int FreeSegments { get; init; }

    /// <summary>Bytes from the redo point to the next LSN.</summary>
    public long BytesSinceRedoPoint { get; init; }

    /// <summary>Batches written.</summary>
    public long Batches { get; init; }

    /// <summary>Bytes of data written, padding included.</summary>
    public long BytesWritten { get; init; }

    /// <summary>Flushes of batches.</summary>
    public long Flushes { get; init; }

    /// <summary>Waiters that these flushes have completed.</summary>
    public long Commits { get; init; }

    /// <summary>Attempts at a write that failed and were repeated.</summary>
    public long WriteRetries { get; init; }
}
