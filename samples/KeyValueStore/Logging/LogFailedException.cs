namespace StorageCache.KeyValueStore.Logging;

/// <summary>
/// The log could not be written or made durable. Whether records beyond <see cref="DurableLsn"/> survive is not known; only opening the log anew
/// tells.
/// </summary>
internal sealed class LogFailedException : LogException
{
    internal LogFailedException(string path, ulong lsn, ulong durableLsn, Exception cause)
        : base(path, $"The log '{path}' has failed at LSN {lsn}; it is durable up to LSN {durableLsn}, and beyond that the outcome is unknown: {cause.Message}", cause)
    {
        Lsn = lsn;
        DurableLsn = durableLsn;
    }

    /// <summary>Where the batch begins that could not be written, or up to where the log could not be made durable.</summary>
    public ulong Lsn { get; }

    /// <summary>What is durable for certain.</summary>
    public ulong DurableLsn { get; }
}
