namespace StorageCache.KeyValueStore.Tree;

/// <summary>The range of keys that belongs to a leaf: the separators left and right of it on the way from the root.</summary>
/// <remarks>Pooled by its scan; a descent overwrites it.</remarks>
internal sealed class Fences
{
    private readonly byte[] _lower = new byte[KeyValueStore.MaximumKeyLength];
    private readonly byte[] _upper = new byte[KeyValueStore.MaximumKeyLength];
    private int _lowerLength;
    private int _upperLength;

    /// <summary>The least key that belongs to the leaf (inclusive); empty when nothing is left of it.</summary>
    public ReadOnlyMemory<byte> Lower => _lower.AsMemory(0, _lowerLength);

    /// <summary>The least key that belongs to the leaves right of it (exclusive bound); unused unless <see cref="HasUpper"/>.</summary>
    public ReadOnlyMemory<byte> Upper => _upper.AsMemory(0, _upperLength);

    /// <summary>Whether anything is left of the leaf.</summary>
    public bool HasLower { get; private set; }

    /// <summary>Whether anything is right of the leaf.</summary>
    public bool HasUpper { get; private set; }

    public void Reset()
    {
        HasLower = false;
        HasUpper = false;
        _lowerLength = 0;
        _upperLength = 0;
    }

    public void SetLower(ReadOnlySpan<byte> key)
    {
        key.CopyTo(_lower);
        _lowerLength = key.Length;
        HasLower = true;
    }

    public void SetUpper(ReadOnlySpan<byte> key)
    {
        key.CopyTo(_upper);
        _upperLength = key.Length;
        HasUpper = true;
    }
}
