namespace StorageCache.KeyValueStore.Logging;

/// <summary>Why a file cannot be opened as a log.</summary>
internal enum LogDefect
{
    /// <summary>The file has no bytes, or was never finished: nothing has been logged in it.</summary>
    Unfinished,

    /// <summary>The file is no log.</summary>
    NotALog,

    /// <summary>The file is a log of another format version.</summary>
    OtherVersion,

    /// <summary>The file is another store's log.</summary>
    Foreign,

    /// <summary>The file is shorter than its log.</summary>
    CutOff,

    /// <summary>The file's header is damaged.</summary>
    Damaged,

    /// <summary>The device transfers units that are larger than the log's blocks.</summary>
    Alignment,
}
