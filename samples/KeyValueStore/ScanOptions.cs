namespace StorageCache.KeyValueStore;

/// <summary>Which entries a scan gives, and in which order. Immutable.</summary>
public sealed class ScanOptions
{
    /// <summary>The least key (inclusive), 0 to 1,024 bytes; empty (default) means no bound.</summary>
    public ReadOnlyMemory<byte> From { get; init; }

    /// <summary>
    /// The key to stop before (exclusive), 0 to 1,024 bytes; empty (default) means no bound, since nothing comes before the empty key.
    /// Otherwise it is not less than <see cref="From"/>.
    /// </summary>
    public ReadOnlyMemory<byte> To { get; init; }

    /// <summary>Gives the greatest key first. The bounds keep their meaning.</summary>
    public bool Reverse { get; init; }

    /// <summary>Gives keys and the lengths of values, and does not read large values.</summary>
    public bool KeysOnly { get; init; }

    /// <summary>The most entries to give, 0 or more; null (default) means all.</summary>
    public long? Limit { get; init; }

    internal void Validate()
    {
        ValidateBound(nameof(From), From.Length);
        ValidateBound(nameof(To), To.Length);
        if (!To.IsEmpty && From.Span.SequenceCompareTo(To.Span) > 0)
        {
            throw new ArgumentException("The bound From is greater than the bound To; allowed: at most To.", nameof(From));
        }

        if (Limit < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(Limit), Limit, $"The limit is {Limit}; allowed: 0 or more.");
        }
    }

    private static void ValidateBound(string name, int length)
    {
        if (length > KeyValueStore.MaximumKeyLength)
        {
            throw new ArgumentException($"The bound {name} has {length} bytes; allowed: 0 to {KeyValueStore.MaximumKeyLength}.", name);
        }
    }
}
