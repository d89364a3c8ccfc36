namespace StorageCache;

/// <summary>What a checkpoint has come to; see <see cref="Mapping.CheckpointAsync"/>.</summary>
/// <param name="PagesWritten">Pages whose write the checkpoint began. Those that somebody else wrote meanwhile are not among them.</param>
/// <param name="OldestLsn">
/// The lowest log sequence number of a change that is not durable in the file, or null if there is none: recovery needs the log from there
/// on. It may be lower than need be, and is never above the number of a change that was marked before the checkpoint had ended.
/// </param>
public readonly record struct CheckpointResult(long PagesWritten, ulong? OldestLsn);
