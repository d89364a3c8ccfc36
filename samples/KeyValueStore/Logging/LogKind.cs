namespace StorageCache.KeyValueStore.Logging;

/// <summary>Kinds of records: those below <see cref="FirstOwn"/> are the caller's.</summary>
internal static class LogKind
{
    /// <summary>The first kind that is the log's own.</summary>
    public const byte FirstOwn = 128;

    /// <summary>The first record after each opening for writing: the durable LSN, and 64 bits that no other epoch has.</summary>
    public const byte Epoch = 128;

    /// <summary>The last record of each batch: the durable LSN, the file's segments, and what fills the block.</summary>
    public const byte Seal = 129;
}
