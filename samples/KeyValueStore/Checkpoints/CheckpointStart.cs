using StorageCache.KeyValueStore.Format;

namespace StorageCache.KeyValueStore.Checkpoints;

/// <summary>A moment between two changes, from which redo is to begin.</summary>
/// <param name="RedoPoint">LSN of what comes next.</param>
/// <param name="Contents">The contents of the store then.</param>
internal readonly record struct CheckpointStart(ulong RedoPoint, StoreContents Contents);
