namespace StorageCache.KeyValueStore.Tests;

/// <summary>The order of keys: unsigned bytes, lexicographic.</summary>
internal sealed class KeyComparer : IComparer<byte[]>
{
    public static KeyComparer Instance { get; } = new();

    public int Compare(byte[]? x, byte[]? y) => x.AsSpan().SequenceCompareTo(y);
}
