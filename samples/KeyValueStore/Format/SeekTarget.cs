namespace StorageCache.KeyValueStore.Format;

/// <summary>Where a descent goes.</summary>
/// <param name="Kind">Which leaf is meant.</param>
/// <param name="Key">The key; unused for <see cref="SeekKind.Last"/>. It must not change during the descent.</param>
internal readonly record struct SeekTarget(SeekKind Kind, ReadOnlyMemory<byte> Key);
