namespace StorageCache.IO;

/// <summary>One contiguous piece of native memory of a <see cref="BlockRequest"/>: one page, or the part of the last page that is transferred.</summary>
/// <remarks>The memory belongs to the cache and stays valid until the request completes. Immutable.</remarks>
public readonly unsafe struct BlockSegment
{
    /// <summary>Describes a piece of native memory.</summary>
    /// <param name="address">First byte.</param>
    /// <param name="length">Bytes, 0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative.</exception>
    public BlockSegment(byte* address, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Address = address;
        Length = length;
    }

    /// <summary>First byte.</summary>
    public byte* Address { get; }

    /// <summary>Bytes.</summary>
    public int Length { get; }

    /// <summary>The same memory as a span. Must not be used after the request has completed.</summary>
    public Span<byte> Span => new(Address, Length);
}
