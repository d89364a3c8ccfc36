namespace StorageCache.KeyValueStore;

/// <summary>One entry of a scan. Its memory is its own and stays valid.</summary>
/// <param name="Key">The key.</param>
/// <param name="ValueLength">Bytes of the value.</param>
/// <param name="Value">The value; empty in a scan of keys only.</param>
public readonly record struct KeyValueEntry(ReadOnlyMemory<byte> Key, int ValueLength, ReadOnlyMemory<byte> Value);
