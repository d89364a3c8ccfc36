using System.Text;

namespace StorageCache.Tests.Stress.Storms;

/// <summary>The few values that pages have: equal pages are common, and every one that is torn shows.</summary>
internal sealed class PageValues
{
    public const int Count = 9;

    /// <summary>What a page holds that was never written, or was punched or cut off since.</summary>
    public const int Zeros = 0;

    /// <summary>Not one of the values all over.</summary>
    public const int Torn = -1;

    /// <summary>Bytes that a device never tears.</summary>
    private const int Sector = 512;

    private readonly byte[][] _bytes;

    public PageValues(int pageSize)
    {
        _bytes = [.. Enumerable.Range(0, Count).Select(_ => new byte[pageSize])];
        for (int value = 1; value < Count; value++)
        {
            new Random(value).NextBytes(_bytes[value]);
        }
    }

    public bool Is(int value, ReadOnlySpan<byte> page) => page.SequenceEqual(_bytes[value]);

    public int ValueOf(ReadOnlySpan<byte> page)
    {
        for (int value = 0; value < Count; value++)
        {
            if (Is(value, page))
            {
                return value;
            }
        }

        return Torn;
    }

    /// <summary>Writes a page in two steps, so that it is torn for anybody who should not look but does.</summary>
    public void Write(int value, PageWriteLease lease)
    {
        lease.Span.Clear();
        _bytes[value].CopyTo(lease.Span);
        lease.MarkDirty();
    }

    /// <summary>Says what a page holds, sector by sector if it is torn.</summary>
    public string Describe(ReadOnlySpan<byte> page)
    {
        int whole = ValueOf(page);
        if (whole != Torn)
        {
            return $"value {whole}";
        }

        StringBuilder text = new("torn: ");
        for (int from = 0; from < page.Length;)
        {
            string what = DescribeSector(page, from);
            int to = from + Sector;
            while (to < page.Length && DescribeSector(page, to) == what)
            {
                to += Sector;
            }

            text.Append(from == 0 ? "" : ", ").Append($"bytes {from} to {to - 1} {what}");
            from = to;
        }

        return text.ToString();
    }

    private string DescribeSector(ReadOnlySpan<byte> page, int offset)
    {
        for (int value = 0; value < Count; value++)
        {
            if (page.Slice(offset, Sector).SequenceEqual(_bytes[value].AsSpan(offset, Sector)))
            {
                return $"of value {value}";
            }
        }

        return "of none";
    }
}
