namespace StorageCache.KeyValueStore;

/// <summary>Changes that happen together or not at all: see <see cref="KeyValueStore.WriteAsync"/>. Not thread-safe.</summary>
/// <remarks>
/// The changes are made in the order in which they were added, so the last one of a key counts. Keys and values are not copied: they must not change
/// before the batch has been written.
/// </remarks>
public sealed class KeyValueBatch
{
    private readonly List<BatchedChange> _changes = [];

    /// <summary>Changes in the batch.</summary>
    public int Count => _changes.Count;

    /// <summary>Told the LSN, when the batch has happened and before anybody sees it.</summary>
    internal Action<ulong>? Committed { get; init; }

    /// <summary>The changes, in order.</summary>
    internal IReadOnlyList<BatchedChange> Changes => _changes;

    /// <summary>Adds a put.</summary>
    /// <param name="key">0 to 1,024 bytes.</param>
    /// <param name="value">0 bytes to 64 MiB.</param>
    /// <exception cref="ArgumentException">The key or the value is too long. The batch is as before.</exception>
    public void Put(ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value)
    {
        ValidateKey(key);
        if (value.Length > KeyValueStore.MaximumValueLength)
        {
            Throw.ValueTooLong(value.Length);
        }

        _changes.Add(new BatchedChange(key, value, IsDelete: false));
    }

    /// <summary>Adds the removal of a key; if it is not there, nothing is removed.</summary>
    /// <param name="key">0 to 1,024 bytes.</param>
    /// <exception cref="ArgumentException">The key is too long. The batch is as before.</exception>
    public void Delete(ReadOnlyMemory<byte> key)
    {
        ValidateKey(key);
        _changes.Add(new BatchedChange(key, default, IsDelete: true));
    }

    /// <summary>Empties the batch, to be used again.</summary>
    public void Clear() => _changes.Clear();

    private static void ValidateKey(ReadOnlyMemory<byte> key)
    {
        if (key.Length > KeyValueStore.MaximumKeyLength)
        {
            Throw.KeyTooLong(key.Length);
        }
    }
}
