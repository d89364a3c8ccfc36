namespace StorageCache.KeyValueStore;

/// <summary>One change of a batch.</summary>
internal readonly record struct BatchedChange(ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value, bool IsDelete);
