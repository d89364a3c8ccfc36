namespace StorageCache.KeyValueStore.Format;

/// <summary>Which bytes of a page belong to a cell, a bit a byte; to see whether cells lie apart without sorting them.</summary>
/// <param name="bits">A bit per byte of the page, all 0.</param>
internal readonly ref struct HeapMap(Span<ulong> bits)
{
    private const int BitsShift = 6;
    private const int BitsMask = (1 << BitsShift) - 1;

    private readonly Span<ulong> _bits = bits;

    /// <summary>Elements that the map of a page takes.</summary>
    public static int LengthFor(int pageSize) => pageSize >> BitsShift;

    /// <summary>Takes bytes of the page. False when another cell has one of them.</summary>
    /// <param name="offset">The first byte, inside the page.</param>
    /// <param name="length">How many, 1 or more; the last one is inside the page.</param>
    public bool TryTake(int offset, int length)
    {
        int last = offset + length - 1;
        for (int word = offset >> BitsShift; word <= last >> BitsShift; word++)
        {
            ulong mask = ulong.MaxValue;
            if (word == offset >> BitsShift)
            {
                mask &= ulong.MaxValue << (offset & BitsMask);
            }

            if (word == last >> BitsShift)
            {
                mask &= ulong.MaxValue >> (BitsMask - (last & BitsMask));
            }

            if ((_bits[word] & mask) != 0)
            {
                return false;
            }

            _bits[word] |= mask;
        }

        return true;
    }
}
