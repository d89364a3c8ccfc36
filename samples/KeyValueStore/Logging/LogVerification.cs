namespace StorageCache.KeyValueStore.Logging;

/// <summary>What a walk through a log has found.</summary>
/// <param name="Records">Records of the caller's that are whole.</param>
/// <param name="Bytes">Bytes from the redo point to where the walk ended.</param>
/// <param name="Problem">What is wrong there, or null: the walk has reached the end.</param>
internal sealed record LogVerification(long Records, long Bytes, LogCorruptException? Problem);
