namespace StorageCache.KeyValueStore.Logging;

/// <summary>A record of the caller's, read from a log.</summary>
/// <param name="Start">LSN at which it begins.</param>
/// <param name="Lsn">The record's LSN, which is that of its end.</param>
/// <param name="Kind">0 to 127.</param>
/// <param name="Payload">What was appended. Valid until the next record is asked for.</param>
internal readonly record struct LogRecord(ulong Start, ulong Lsn, byte Kind, ReadOnlyMemory<byte> Payload);
