namespace StorageCache.ReadAhead;

/// <summary>A page that was missed and may belong to the beginning of a stream: its neighbour would tell.</summary>
/// <param name="page">The page that was missed last.</param>
/// <param name="heard">When, by the table's clock; it wraps.</param>
/// <param name="run">Neighbours missed one after the other, this one included; 0 for an entry that is not in use.</param>
/// <param name="direction">+1 upwards, -1 downwards, 0 while only one page is known.</param>
internal readonly struct StreamCandidate(long page, uint heard, short run, short direction)
{
    /// <summary>The page that was missed last.</summary>
    public readonly long Page = page;

    /// <summary>When, by the table's clock; it wraps.</summary>
    public readonly uint Heard = heard;

    /// <summary>Neighbours missed one after the other, this one included; 0 for an entry that is not in use.</summary>
    public readonly short Run = run;

    /// <summary>+1 upwards, -1 downwards, 0 while only one page is known.</summary>
    public readonly short Direction = direction;

    /// <summary>Whether the next page in a direction would continue it.</summary>
    public bool MayGo(int direction) => Run > 0 && (Direction == 0 || Direction == direction);
}
