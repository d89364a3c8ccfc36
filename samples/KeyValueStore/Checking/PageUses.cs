namespace StorageCache.KeyValueStore.Checking;

/// <summary>What each page was found to be used for: a byte a page, in pieces that come as they are needed, since an array cannot be as long as a file.</summary>
internal sealed class PageUses(long pageCount)
{
    private const int PieceShift = 16;
    private const int PieceMask = (1 << PieceShift) - 1;

    private readonly PageUse[]?[] _pieces = new PageUse[(pageCount >> PieceShift) + 1][];

    /// <summary>Pages of the store.</summary>
    public long PageCount { get; } = pageCount;

    public PageUse this[long page]
    {
        get => _pieces[page >> PieceShift] is { } piece ? piece[page & PieceMask] : PageUse.None;
        set => (_pieces[page >> PieceShift] ??= new PageUse[1 << PieceShift])[page & PieceMask] = value;
    }
}
