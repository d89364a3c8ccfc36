namespace StorageCache.KeyValueStore.Tree;

/// <summary>What a change of one key did.</summary>
/// <param name="Existed">Whether the key was there before.</param>
/// <param name="OldPayload">Its payload then, a copy.</param>
/// <param name="OldIsOverflow">Whether that payload is an overflow reference.</param>
internal readonly record struct TreeChange(bool Existed, byte[] OldPayload, bool OldIsOverflow);
