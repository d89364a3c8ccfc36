namespace StorageCache.KeyValueStore.Logging;

/// <summary>The place of a store's log in the options of its mapping, which is opened first: only its meta page says which log it is. Thread-safe.</summary>
internal sealed class LogSeat : IWriteAheadLog
{
    private WriteAheadLog? _log;

    /// <summary>The log, once it is open.</summary>
    public WriteAheadLog? Log
    {
        get => Volatile.Read(ref _log);
        set => Volatile.Write(ref _log, value);
    }

    /// <inheritdoc/>
    /// <remarks>Before the log is open no page has an LSN.</remarks>
    public ulong DurableLsn => Log?.DurableLsn ?? 0;

    /// <inheritdoc/>
    public ValueTask EnsureDurableAsync(ulong lsn, CancellationToken cancellationToken) =>
        (Log ?? throw new InvalidOperationException($"A page has the LSN {lsn}, and there is no log.")).EnsureDurableAsync(lsn, cancellationToken);
}
